"""Launches recorded kernels again, in a process of its own, with every buffer in a block of exactly its size.

    replay.py FOLDER    FOLDER/launches.pkl names the libraries, instances and arguments; results go to results.pkl

So the address sanitizer, preloaded, sees the first byte beyond any of them. It needs numpy alone: with torch in the
process the sanitizer would watch that as well, for minutes.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """See the module."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    results = []
    for library, which, blocks, threads, arguments in pickle.loads((folder / "launches.pkl").read_bytes()):
        cells, blocks_of = [], []
        for kind, value in arguments:
            if kind == "buffer":
                # Not freed: a kernel that keeps an address would find the next one's memory.
                address = libc.malloc(len(value[0]))
                ctypes.memmove(address, value[0], len(value[0]))
                blocks_of.append((address, len(value[0])))
                cells.append(np.array([address + value[1]], np.uintp))
            else:
                cells.append(np.array([value]))
        pointers = (ctypes.c_void_p * len(cells))(*[cell.ctypes.data for cell in cells])
        ctypes.CDLL(library).launch(which, blocks, threads, pointers)
        results.append([ctypes.string_at(address, size) for address, size in blocks_of])
    (folder / "results.pkl").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
