"""backward_warp against answers computed in float64 by plain loops, and what it promises besides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vsvfi.errors import ShapeError
from vsvfi.ops.backward_warp import backward_warp

GOLDEN = Path(__file__).parents[1] / "golden/warping"
FLOWS = (
    "zero", "small", "medium", "out_of_frame", "integer", "half", "converge", "very_large", "edge", "nonfinite"
)  # fmt: skip


def facts(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"backward_{name}.npz") as file:
        return {key: torch.from_numpy(file[key])[None] for key in file.files}


@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("flow", FLOWS)
def test_the_definition(flow: str, padding: str) -> None:
    known = facts("a")
    warped = backward_warp(known["image"], known[f"flow_{flow}"], padding=padding)
    assert (warped - known[f"{padding}_{flow}"]).abs().max() < 1e-5


@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("name", ["row", "column", "pixel"])
def test_sides_of_one_pixel(name: str, padding: str) -> None:
    known = facts(name)
    flows = [key.removeprefix("flow_") for key in known if key.startswith("flow_")]
    assert flows
    for flow in flows:
        warped = backward_warp(known["image"], known[f"flow_{flow}"], padding=padding)
        assert (warped - known[f"{padding}_{flow}"]).abs().max() < 1e-5, flow


@pytest.mark.parametrize("width", [1920, 3840])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_positions_are_single_precision_whatever_the_image_is(dtype: torch.dtype, width: int) -> None:
    """An image that is its own x coordinate, modulo 16 so that half holds it exactly: the sample tells the position."""
    ramp = (torch.arange(width) % 16).to(dtype).expand(1, 1, 2, width)
    flow = torch.zeros(1, 2, 2, width)
    flow[:, 0] = 0.25
    warped = backward_warp(ramp, flow.to(dtype)).float()
    inside = (torch.arange(width) % 16 < 15) & (torch.arange(width) < width - 1)
    off = (warped[0, 0, 0] - (torch.arange(width) % 16 + 0.25))[inside].abs().max()
    assert off < (0.04 if dtype == torch.bfloat16 else 0.005), (
        "only the sample itself may be rounded to the image's type"
    )
    # What a grid in that type would do: the test can tell.
    coarse = (torch.arange(width, dtype=dtype) + 0.25).float() - torch.arange(width)
    assert (coarse - 0.25).abs().max() >= 0.25


def test_memory_format_dtype_and_gradients() -> None:
    image = torch.rand(2, 5, 9, 11, dtype=torch.float32)
    flow = torch.randn(2, 2, 9, 11)
    plain = backward_warp(image, flow)
    last = backward_warp(image.contiguous(memory_format=torch.channels_last), flow)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain, last)
    wide = torch.zeros(2, 5, 9, 20)
    wide[..., 3:14] = image
    assert torch.equal(plain, backward_warp(wide[..., 3:14], flow))
    assert backward_warp(image.half(), flow).dtype == torch.float16
    leaf = image.double().float().requires_grad_()
    backward_warp(leaf, flow).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.sum() == pytest.approx(2 * 5 * 9 * 11, rel=1e-4), "border: every sample's weights sum to 1"


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"flow must be \(1, 2, 4, 4\)"):
        backward_warp(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 5))


def test_it_traces_whole() -> None:
    class Warp(torch.nn.Module):
        def forward(self, image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
            return backward_warp(image, flow)

    inputs = torch.rand(1, 3, 8, 8), torch.randn(1, 2, 8, 8)
    exported = torch.export.export(Warp(), inputs)
    assert torch.equal(exported.module()(*inputs), backward_warp(*inputs))
