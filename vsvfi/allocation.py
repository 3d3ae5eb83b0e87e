"""Memory for networks on a CPU: large blocks stay with the process from frame to frame.

glibc maps every large tensor anew and gives it back when it is freed, so the kernel zeroes all of it for every layer
of every frame: a quarter of a network's time at 1280x720. loading.py calls this when such a model is built.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # malloc.h
_LARGEST = (1 << 31) - 1


@cache
def keep_large_blocks() -> bool:
    """Have malloc keep what is freed, and serve all threads from one heap: only that one can hold large blocks.

    For the whole process, once; where the C library is not glibc, or with VSVFI_KEEP_MEMORY=0, nothing changes.

    Returns:
        Whether it took effect.
    """
    if sys.platform != "linux" or os.environ.get("VSVFI_KEEP_MEMORY") == "0":
        return False
    try:
        library = ctypes.CDLL(None)
        mallopt, _ = library.mallopt, library.gnu_get_libc_version
    except (OSError, AttributeError):  # musl
        return False
    settings = (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, 1 << 26), (_ARENA_MAX, 1)
    accepted = [mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in settings]
    return all(accepted)
