"""How much memory may be taken: what users type, and what becomes of it."""

from __future__ import annotations

import pytest
import torch

from vsvfi import memory
from vsvfi.cache import share_of
from vsvfi.errors import OptionError


@pytest.mark.parametrize(
    ("typed", "size"),
    [("6G", 6 << 30), ("1.5G", 3 << 29), ("512M", 512 << 20), ("512 MiB", 512 << 20), ("1g", 1 << 30),
     (1 << 30, 1 << 30), (str(1 << 30), 1 << 30), ("300000K", 300000 << 10)],
)  # fmt: skip
def test_sizes(typed: int | str, size: int) -> None:
    assert memory.parse("vram", typed) == size


@pytest.mark.parametrize("typed", ["", "much", "-1G", "6T", "G", True, 2.5, None, "6G6"])
def test_what_is_no_size(typed: object) -> None:
    with pytest.raises(OptionError, match='vram must be a number of bytes or a text like "6G" or "512M", got '):
        memory.parse("vram", typed)


@pytest.mark.parametrize("typed", [0, 4096, "255M"])
def test_too_little(typed: int | str) -> None:
    with pytest.raises(OptionError, match="vram must be at least 256M, got "):
        memory.parse("vram", typed)


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VSVFI_VRAM", raising=False)
    assert memory.limit(None) is None
    monkeypatch.setenv("VSVFI_VRAM", "2G")
    assert memory.limit(None) == 2 << 30
    assert memory.limit("1G") == 1 << 30
    monkeypatch.setenv("VSVFI_VRAM", "plenty")
    with pytest.raises(OptionError, match="VSVFI_VRAM must be a number of bytes"):
        memory.limit(None)


def test_caches_keep_to_it() -> None:
    assert share_of("cpu", 1 << 30) == (1 << 30) // 16
    assert share_of("cpu") == share_of("cpu", 1 << 60) == memory.total("cpu") // 16


@pytest.mark.gpu
def test_torch_takes_no_more() -> None:
    try:
        memory.hold("cuda:0", 1 << 30)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(2 << 30, dtype=torch.uint8, device="cuda:0")
    finally:
        memory.hold("cuda:0", memory.total("cuda:0"))
