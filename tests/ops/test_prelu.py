"""PReLU gives torch's own bytes, whatever the memory format, type and size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vsvfi.ops.prelu import PReLU


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(1, 36, 8, 12), (2, 5, 4, 8), (1, 7, 3, 5), (3, 1, 16, 1)], ids=str)
@pytest.mark.parametrize("format", [torch.channels_last, torch.contiguous_format], ids=str)
def test_the_same_bytes_as_torch(dtype: torch.dtype, shape: tuple[int, ...], format: torch.memory_format) -> None:
    ours, theirs = PReLU(shape[1]).to(dtype), nn.PReLU(shape[1]).to(dtype)
    with torch.no_grad():
        theirs.weight.copy_(torch.linspace(-0.5, 1.5, shape[1]))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype).contiguous(memory_format=format)
    with torch.inference_mode():
        result = ours(x)
        assert torch.equal(result, theirs(x))
        assert result.is_contiguous(memory_format=format)
    assert torch.equal(ours(x), theirs(x)), "with gradients"


def test_gradients_flow() -> None:
    layer, x = PReLU(3), torch.randn(1, 3, 4, 4, requires_grad=True)
    layer(x.contiguous(memory_format=torch.channels_last)).sum().backward()
    assert layer.weight.grad is not None
    assert x.grad is not None
