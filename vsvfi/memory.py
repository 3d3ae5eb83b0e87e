"""How much memory of a device the process may take: an option, VSVFI_VRAM, or all there is."""

from __future__ import annotations

import os
import re
import sys

from .errors import OptionError

ENVIRONMENT = "VSVFI_VRAM"
LEAST = 256 << 20
"""Bytes: below this not even a tile of 64 pixels has room beside the weights."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse(name: str, value: object) -> int | float:
    """Bytes, out of a number of them or a text like "6G", "512M"; of "50%" the share, above 0 and at most 1.0.

    Raises:
        OptionError: neither, or fewer bytes than LEAST.
    """
    wanted = f'{name} must be a number of bytes or a text like "6G", "512M" or "50%", got {value!r}'
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([KMG]?)(?:i?B)?|(%))", str(value).strip(), re.IGNORECASE)
    if found is None or isinstance(value, bool) or not isinstance(value, (int, str)):
        raise OptionError(wanted)
    number = float(found[1])
    if found[3]:
        if not 0 < number <= 100:
            raise OptionError(wanted)
        return number / 100
    size = int(number * _UNITS[found[2].upper()])
    if size < LEAST:
        raise OptionError(f"{name} must be at least {LEAST >> 20}M, got {value!r}")
    return size


def check(option: object) -> None:
    """Raise OptionError unless `limit` can say what is meant."""
    _said(option)


def limit(option: object, where: str) -> int | None:
    """Bytes that may be taken on a device; None: all it has.

    Args:
        option: what a user typed, None: VSVFI_VRAM decides.
        where: the device: "cpu", "cuda:0".

    Raises:
        OptionError: see `parse`.
    """
    said = _said(option)
    return max(LEAST, int(said * total(where))) if isinstance(said, float) else said


def _said(option: object) -> int | float | None:
    if option is not None:
        return parse("vram", option)
    said = os.environ.get(ENVIRONMENT)
    return parse(ENVIRONMENT, said) if said else None


def total(where: str) -> int:
    """Bytes a device has: "cpu", "cuda:0"."""
    if where.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(where).total_memory)
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 8 << 30  # Windows has no sysconf: take a small machine


def available(where: str) -> int:
    """Bytes that nobody else has taken: of a CUDA device what is free and what is this process's; else `total`."""
    if not where.startswith("cuda"):
        return total(where)
    import torch

    device = torch.device(where)
    return int(torch.cuda.mem_get_info(device)[0]) + torch.cuda.memory_reserved(device)


def hold(where: str, most: int) -> None:
    """Let torch take no more than `most` bytes on a CUDA device from now on: beyond, it says that memory has run out.

    For the whole process: the last who asks decides.
    """
    torch = sys.modules.get("torch")
    if torch is not None and where.startswith("cuda"):
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / total(where)), torch.device(where))
