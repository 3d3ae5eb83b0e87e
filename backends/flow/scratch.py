"""Buffers that a thread keeps from frame to frame.

Fresh memory of this size is mapped and zeroed page by page each time, which took an eighth of a frame's time.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

type Array = np.ndarray[Any, Any]

_local = threading.local()


def buffer(name: str, *shape: int) -> Array:
    """This thread's float32 buffer of that name in that shape; what is in it is left over from its last use.

    The memory behind a name grows to the largest shape asked for, and goes with the thread.
    """
    kept: dict[str, Array] = _local.__dict__.setdefault("buffers", {})
    size = math.prod(shape)
    found = kept.get(name)
    if found is None or found.size < size:
        found = kept[name] = np.empty(size, np.float32)
    return found[:size].reshape(shape)
