"""Planes of a frame: what a format is, what its samples mean, where they are.

Nothing here knows VapourSynth; `frames/host.py` makes these from its frames. torch arrives with the first tensor: a
model that reads arrays on the CPU never waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

type Array = np.ndarray[Any, Any]

_SAMPLES = {("int", 1): "uint8", ("int", 2): "uint16", ("float", 2): "float16", ("float", 4): "float32"}


@dataclass(frozen=True, slots=True)
class PlaneFormat:
    """A constant video format and frame size.

    Attributes:
        family: how the planes are to be read: Y, U, V; R, G, B; or Y alone.
        sample: integer or floating samples.
        bits: significant bits of a sample: 8 to 16 (integer), 16 or 32 (float).
        subsampling: log2 of (horizontal, vertical) chroma subsampling: (1, 1) is 4:2:0.
        width, height: of the first plane, in samples.
    """

    family: Literal["YUV", "RGB", "GRAY"]
    sample: Literal["int", "float"]
    bits: int
    subsampling: tuple[int, int]
    width: int
    height: int

    @property
    def dtype(self) -> torch.dtype:
        """The samples' type in a tensor: torch.uint8, uint16, float16 or float32."""
        import torch

        kind: torch.dtype = getattr(torch, _SAMPLES[self.sample, (self.bits + 7) // 8])
        return kind

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The samples' type in a numpy array."""
        return np.dtype(_SAMPLES[self.sample, (self.bits + 7) // 8])

    @property
    def num_planes(self) -> int:
        """1 for GRAY, else 3."""
        return 1 if self.family == "GRAY" else 3

    @property
    def peak(self) -> float:
        """The largest sample value: 2**bits - 1, or 1.0 for float formats."""
        return float((1 << self.bits) - 1) if self.sample == "int" else 1.0

    def plane_size(self, plane: int) -> tuple[int, int]:
        """(height, width) of a plane; VapourSynth admits only sizes that subsampling divides."""
        if plane == 0 or self.family != "YUV":
            return self.height, self.width
        return self.height >> self.subsampling[1], self.width >> self.subsampling[0]

    @property
    def nbytes(self) -> int:
        """Bytes of all planes without row padding."""
        sizes = (self.plane_size(p) for p in range(self.num_planes))
        return sum(h * w for h, w in sizes) * self.array_dtype.itemsize

    def __str__(self) -> str:
        return f"{self.family} {self.sample}{self.bits} {self.subsampling} [{self.width}x{self.height}]"


@dataclass(frozen=True, slots=True)
class ColorInfo:
    """What a frame's samples mean, as resolved from its properties (ITU-T H.273 code points).

    Attributes:
        matrix: `_Matrix`; 0 is RGB, 1 BT.709, 6 SMPTE 170M, 9 BT.2020 NCL ...
        full_range: `_Range` (1 full) or the older `_ColorRange` (0 full).
        chroma_location: `_ChromaLocation`; 0 left, 1 center, 2 top left, 3 top, 4 bottom left, 5 bottom.
    """

    matrix: int
    full_range: bool
    chroma_location: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Planes:
    """One frame's planes on one device.

    Attributes:
        format: of the frame.
        color: how samples are to be understood.
        samples: (height, width) of each plane: numpy arrays (in host memory) or tensors (anywhere); `data` and
            `arrays` give them as either. Rows may be padded (a stride above the width), samples of a row are
            adjacent. Read-only by convention: a view may lie in the frame server's own memory.
    """

    format: PlaneFormat
    color: ColorInfo
    samples: tuple[Tensor, ...] | tuple[Array, ...]

    @property
    def data(self) -> tuple[Tensor, ...]:
        """The planes as tensors of `format.dtype`, over the same memory."""
        import torch

        return tuple(torch.from_numpy(s) if isinstance(s, np.ndarray) else s for s in self.samples)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The planes as arrays of `format.array_dtype`, over the same memory; they must be on the host."""
        return tuple(s if isinstance(s, np.ndarray) else s.numpy() for s in self.samples)

    @property
    def device(self) -> torch.device:
        """Where the planes are."""
        import torch

        first = self.samples[0]
        return torch.device("cpu") if isinstance(first, np.ndarray) else first.device
