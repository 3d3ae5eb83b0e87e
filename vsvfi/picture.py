"""Pictures out of files: untrusted, so their size is asked before they are decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .errors import OptionError

type Picture = np.ndarray[Any, Any]

_MOST = 1 << 27
"""Pixels: 16384x8192. A file of some bytes can claim more, and would take gigabytes."""


def read(path: Path) -> Picture:
    """(H, W, 3) RGB, uint8 or uint16 as the file has it; gray becomes three equal channels.

    Raises:
        OptionError: no picture, too large, or partly transparent.
    """
    import cv2
    from PIL import Image

    data = np.fromfile(path, np.uint8) if path.is_file() else None
    try:
        with Image.open(path) as header:
            width, height = header.size
    except (OSError, ValueError, Image.DecompressionBombError):
        width = height = 0
    if width * height > _MOST:
        raise OptionError(f"{path} claims to have {width}x{height} pixels; {_MOST >> 20} million are the most")
    picture = None if data is None or not width else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise OptionError(f"cannot read {path}; give a picture such as a PNG or JPEG")
    if picture.ndim == 2:
        picture = picture[..., None].repeat(3, 2)
    if picture.shape[2] == 4:
        opaque = 255 if picture.dtype == np.uint8 else 65535
        if picture[..., 3].min() < opaque:
            raise OptionError(f"{path} is partly transparent; flatten it on a background first")
        picture = picture[..., :3]
    return np.ascontiguousarray(picture[..., ::-1])


def eight_bit(picture: Picture) -> Picture:
    """The same in 8 bits."""
    return picture if picture.dtype == np.uint8 else np.rint(picture / 257).astype(np.uint8)
