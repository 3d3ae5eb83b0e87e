"""The kernels between planes and pictures against their torch definitions: through the C++ shim, and on a GPU."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.cuda_on_cpu.shim import on_cpu  # noqa: F401
from vsvfi.color import from_planes, to_planes
from vsvfi.color.dither import offsets
from vsvfi.color.matrices import code_range
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes
from vsvfi.padding import Padding, pad

FORMAT = PlaneFormat("YUV", "int", 8, (1, 1), 36, 20)
COLOR = ColorInfo(1, False, 0)
DEPTHS = [("int", 8), ("int", 9), ("int", 10), ("int", 12), ("int", 16), ("float", 16), ("float", 32)]
SUBSAMPLINGS = [(0, 0), (1, 0), (1, 1), (0, 1), (2, 0), (2, 2)]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """Where the kernels run: on a GPU, or as C++ on the CPU."""
    if request.param == "cpu":
        request.getfixturevalue("on_cpu")
    return str(request.param)


def changed(**changes: object) -> tuple[PlaneFormat, ColorInfo]:
    colors = {key: changes.pop(key) for key in ("matrix", "full_range", "chroma_location") if key in changes}
    return dataclasses.replace(FORMAT, **changes), dataclasses.replace(COLOR, **colors)


CASES = {
    "base": changed(),
    **{f"{sample}{bits}": changed(sample=sample, bits=bits) for sample, bits in DEPTHS[1:]},
    **{f"subsampling {log2}": changed(subsampling=log2) for log2 in SUBSAMPLINGS},
    **{f"matrix {matrix}": changed(matrix=matrix) for matrix in (4, 5, 6, 7, 8, 9)},
    **{f"location {location}": changed(chroma_location=location) for location in range(1, 6)},
    "full": changed(full_range=True),
    "full 10-bit 4:2:2 top": changed(full_range=True, bits=10, subsampling=(1, 0), chroma_location=3),
    "RGB": changed(family="RGB", subsampling=(0, 0), width=33, height=17),
    "RGB 16-bit limited": changed(family="RGB", subsampling=(0, 0), bits=16, matrix=0),
    "RGB half": changed(family="RGB", subsampling=(0, 0), sample="float", bits=16),
    "GRAY": changed(family="GRAY", subsampling=(0, 0), width=35, height=1),
    "GRAY float": changed(family="GRAY", subsampling=(0, 0), sample="float", bits=32, width=1, height=9),
    "4:4:4 odd": changed(subsampling=(0, 0), width=37, height=19),
    "2x2": changed(width=2, height=2),
}
TOLERANCE = {torch.float32: 3e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}
"""Of values about 1: the order of additions, and the type's own rounding."""


def planes_of(format: PlaneFormat, color: ColorInfo, seed: int = 0, margin: int = 0, device: str = "cpu") -> Planes:
    """Any codes at all, also those outside the nominal range; `margin` samples behind each row."""
    random = torch.Generator().manual_seed(seed)
    data = []
    for p in range(format.num_planes):
        h, w = format.plane_size(p)
        if format.sample == "int":
            whole = torch.randint(0, int(format.peak) + 1, (h, w + margin), generator=random)
        else:
            whole = torch.rand(h, w + margin, generator=random) * 1.2 - 0.1
        data.append(whole.to(format.dtype).to(device)[:, :w])
    return Planes(format, color, tuple(data))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_to_a_picture(case: str, device: str, dtype: torch.dtype) -> None:
    planes = planes_of(*CASES[case], margin=3, device=device)
    found, expected = from_planes.from_planes(planes, dtype), from_planes.definition(planes, dtype)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    assert (found.float() - expected.float()).abs().max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("dither", ["none", "ordered"])
@pytest.mark.parametrize("case", CASES)
def test_to_planes(case: str, device: str, dither: str) -> None:
    """The same codes, but where the exact value lies at the border of two."""
    format, color = CASES[case]
    picture = torch.rand(1, 3, format.height, format.width, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    compare(picture.to(device), format, color, dither)


def compare(picture: Tensor, format: PlaneFormat, color: ColorInfo, dither: str) -> None:
    found = to_planes.to_planes(picture, format, color, dither=dither)
    expected = to_planes.definition(picture, format, color, dither)
    exact_format = dataclasses.replace(format, sample="float", bits=32)
    exact = to_planes.definition(picture.float(), exact_format, color, "none")
    for p, (made, defined) in enumerate(zip(found.data, expected.data, strict=True)):
        assert made.dtype == format.dtype
        assert made.shape == format.plane_size(p)
        off = (made.double() - defined.double()).abs()
        if format.sample == "float":
            assert off.max() <= TOLERANCE[format.dtype]
            continue
        gain, offset = code_range(format, color, p)
        code = exact.data[p].double() * gain + offset
        if dither == "ordered":
            code += offsets(*code.shape, code.device).double()
        # 16-bit codes have no more room in float32 than 1/256 of one.
        near = ((code - code.floor()) - 0.5).abs() < max(1e-3, gain * 1e-6)
        assert off.max() <= 1
        assert not (off > 0)[~near].any()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_pictures_of_any_strides_and_types(device: str, dtype: torch.dtype) -> None:
    wide = torch.rand(1, 3, 26, 44, generator=torch.Generator().manual_seed(2)).to(device, dtype)
    crop = wide[..., 3:23, 5:41]
    last = crop.contiguous(memory_format=torch.channels_last)
    for format, color in (CASES["base"], changed(sample="float", bits=32)):
        whole = to_planes.to_planes(crop.contiguous(), format, color)
        for other in (crop, last):
            made = to_planes.to_planes(other, format, color)
            assert all(torch.equal(a, b) for a, b in zip(whole.data, made.data, strict=True))
        compare(crop, format, color, "ordered")


@pytest.mark.parametrize("rule", ["replicate", "symmetric", "constant"])
@pytest.mark.parametrize("case", ["base", "4:4:4 odd", "RGB", "2x2"])
def test_padding_in_the_same_pass(case: str, device: str, rule: str) -> None:
    planes = planes_of(*CASES[case], device=device)
    for around in ((3, 5, 7, 2), (0, 0, 1, 0), (0, 4, 0, 4), (40, 0, 0, 41)):
        padding = Padding(*around, rule, 0.25)
        found = from_planes.from_planes(planes, padding=padding)
        expected = pad(from_planes.definition(planes, torch.float32), padding)
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 3e-6


def test_padding_as_torch_and_numpy_have_it() -> None:
    import numpy as np

    image = torch.rand(2, 3, 5, 4)
    around = Padding(2, 3, 1, 4)
    assert torch.equal(pad(image, around), torch.nn.functional.pad(image, (3, 4, 2, 1), mode="replicate"))
    mirrored = pad(image, dataclasses.replace(around, rule="symmetric"))
    assert np.array_equal(mirrored, np.pad(image, ((0, 0), (0, 0), (2, 1), (3, 4)), "symmetric"))
    grey = pad(image, dataclasses.replace(around, rule="constant", value=0.5))
    assert torch.equal(grey, torch.nn.functional.pad(image, (3, 4, 2, 1), value=0.5))
    assert pad(image, Padding()) is image


@pytest.mark.usefixtures("on_cpu")
@given(
    width=st.integers(1, 20), height=st.integers(1, 20), log2=st.sampled_from(SUBSAMPLINGS),
    depth=st.sampled_from(DEPTHS), location=st.integers(0, 5), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_size(width: int, height: int, log2, depth, location: int, seed: int) -> None:
    format, color = changed(
        width=width << log2[0], height=height << log2[1], subsampling=log2, sample=depth[0], bits=depth[1],
        chroma_location=location,
    )  # fmt: skip
    planes = planes_of(format, color, seed, margin=seed % 4)
    picture = from_planes.from_planes(planes)
    assert (picture - from_planes.definition(planes, torch.float32)).abs().max() <= 3e-6
    compare(picture, format, color, "ordered")


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("case", ["base", "int16", "float16", "GRAY"])
def test_what_is_no_number_has_a_code(case: str) -> None:
    format, color = CASES[case]
    picture = torch.full((1, 3, format.height, format.width), float("nan"))
    made = to_planes.to_planes(picture, format, color)
    for plane in made.data:
        assert plane.isnan().all() if format.sample == "float" else not plane.any()
    picture[:] = float("inf")
    luma = to_planes.to_planes(picture, format, color, dither="none").data[0]
    assert (luma == (format.peak if format.sample == "int" else float("inf"))).all()


@pytest.mark.usefixtures("on_cpu")
def test_there_and_back_is_the_same_codes() -> None:
    """4:4:4 loses nothing but to rounding in float32."""
    for bits, full in itertools.product((8, 10), (False, True)):
        format, color = changed(subsampling=(0, 0), bits=bits, full_range=full)
        planes = planes_of(format, color)
        back = to_planes.to_planes(from_planes.from_planes(planes), format, color, dither="none")
        assert all(torch.equal(a, b) for a, b in zip(planes.data, back.data, strict=True))
