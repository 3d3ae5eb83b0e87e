"""How kernels are chosen and asked for; what they compute is tested in tests/cuda_on_cpu."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from vsvfi.ops import kernels


def meta(*shape: int, strides: tuple[int, ...] | None = None) -> torch.Tensor:
    tensor = torch.empty(shape, device="meta")
    return tensor if strides is None else torch.empty_strided(shape, strides, device="meta")


@pytest.mark.parametrize(
    ("tensor", "count", "index"),
    [
        (meta(1, 3, 1080, 1920), 1080 * 1920, "int32"),
        (meta(1, 64, 4320, 7680), 4320 * 7680, "int32"),
        (meta(1, 65, 4320, 7680), 4320 * 7680, "int64"),
        # A crop of something large reaches far, though it holds little.
        (meta(1, 1, 2, 2, strides=(1, 1, 2**31 - 2, 1)), 4, "int32"),
        (meta(1, 1, 2, 2, strides=(1, 1, 2**31 - 1, 1)), 4, "int64"),
        # And a loop steps beyond the end before it stops.
        (meta(1, 1, 4, 4), 2**30 - 256, "int64"),
        (meta(1, 1, 4, 4), 2**30 - 257, "int32"),
    ],
    ids=str,
)
def test_offsets_that_do_not_fit_32_bits_get_64(tensor: torch.Tensor, count: int, index: str) -> None:
    assert kernels.index_type(tensor, None, count=count) == index


def test_numbers_have_the_width_the_kernel_declares() -> None:
    assert all(isinstance(n, np.int32) for n in kernels.strides(torch.zeros(1, 2, 3, 4), "int32"))
    assert all(isinstance(n, np.int64) for n in kernels.strides(None, "int64"))
    assert [int(n) for n in kernels.strides(torch.zeros(1, 2, 3, 4), "int32")] == [24, 12, 4, 1]


def test_packs_are_whole_and_aligned() -> None:
    last = torch.zeros(1, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    assert kernels.in_packs(last)
    assert kernels.in_packs(last[..., 1:])
    assert not kernels.in_packs(last.contiguous())
    assert not kernels.in_packs(last[:, 1:5])
    assert not kernels.in_packs(torch.zeros(1, 6, 4, 4).contiguous(memory_format=torch.channels_last))
    assert kernels.in_packs(last.half())


def test_host_tensors_and_foreign_types_take_torch() -> None:
    assert not kernels.usable(torch.zeros(1))
    assert not kernels.usable(torch.zeros(1, device="meta"))


def test_a_source_stands_alone() -> None:
    """What is included is pasted in, once: CuPy's cache looks at the text it is given."""
    for stem in kernels.INSTANCES:
        text = kernels.source(stem)
        assert "#include" not in text
        assert text.count("struct BFloat16 {") == 1


def test_cupy_stays_out_until_a_kernel_is_launched() -> None:
    code = "import vsvfi.ops.splat, vsvfi.ops.backward_warp, sys; assert 'cupy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
