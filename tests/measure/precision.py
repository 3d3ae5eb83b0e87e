"""How far each lower precision of a network is from float32: PSNR on the frames of the published answers.

    python -m tests.measure.precision MODEL...

The least over both sizes and t = 0.25, 0.5 and 0.75, with the weights of the parity tests, on the CPU. models.yaml
records it as `agreement`; from 50 dB on a precision may be chosen without asking.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from tests.golden import recipe
from tests.measure.network_speed import subject
from vsvfi.testing.compare import made
from vsvfi.testing.pictures import sized

SIZES = (128, 192), (117, 203)
TIMES = (0.25, 0.5, 0.75)
LOWER = {"fp16": torch.float16, "bf16": torch.bfloat16}


def frames(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    image0, image1 = recipe.make_frames(*size)
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]


def agreement(name: str, precision: str) -> float:
    """Decibels, peak 1."""
    single, lower = subject(name).build("fp32"), subject(name).build(precision)
    found = []
    for size in SIZES:
        images = frames(sized(single, *size))[: single.spec.inputs]
        low = [image.to(lower.image_dtype) for image in images]
        for t in TIMES:
            off = made(lower, low, t).float() - made(single, images, t)
            found.append(-10 * off.pow(2).mean().log10().item())
    return min(found)


def main() -> None:
    print("| model | " + " | ".join(LOWER) + " |\n|---|" + "---:|" * len(LOWER))
    for name in sys.argv[1:]:
        print(f"| {name} | " + " | ".join(f"{agreement(name, p):.1f}" for p in LOWER) + " |", flush=True)


if __name__ == "__main__":
    main()
