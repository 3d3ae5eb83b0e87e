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


def test_a_share_is_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total", lambda where: {"cuda:0": 8 << 30, "cuda:1": 24 << 30}[where])
    assert memory.limit("50%", "cuda:0") == 4 << 30
    assert memory.limit("12.5 %", "cuda:1") == 3 << 30
    assert memory.limit("1%", "cuda:0") == memory.LEAST


@pytest.mark.parametrize("typed", ["", "much", "-1G", "6T", "G", True, 2.5, None, "6G6", "0%", "101%", "%", "5%G"])
def test_what_is_no_size(typed: object) -> None:
    with pytest.raises(OptionError, match='vram must be a number of bytes or a text like "6G", "512M" or "50%", got '):
        memory.parse("vram", typed)


@pytest.mark.parametrize("typed", [0, 4096, "255M"])
def test_too_little(typed: int | str) -> None:
    with pytest.raises(OptionError, match="vram must be at least 256M, got "):
        memory.parse("vram", typed)


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VSVFI_VRAM", raising=False)
    assert memory.limit(None, "cpu") is None
    monkeypatch.setenv("VSVFI_VRAM", "2G")
    assert memory.limit(None, "cpu") == 2 << 30
    assert memory.limit("1G", "cpu") == 1 << 30
    monkeypatch.setenv("VSVFI_VRAM", "plenty")
    with pytest.raises(OptionError, match="VSVFI_VRAM must be a number of bytes"):
        memory.limit(None, "cpu")


def test_caches_keep_to_it() -> None:
    assert share_of("cpu", 1 << 30) == (1 << 30) // 16
    assert share_of("cpu") == share_of("cpu", 1 << 60) == memory.total("cpu") // 16


def test_caches_leave_to_others_what_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 << 30, 24 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 1 << 30)
    assert share_of("cuda:0") == (4 << 30) // 16, "what is free, and what is ours already"
    assert share_of("cuda:0", 2 << 30) == (2 << 30) // 16


@pytest.mark.gpu
def test_torch_takes_no_more() -> None:
    try:
        memory.hold("cuda:0", 1 << 30)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(2 << 30, dtype=torch.uint8, device="cuda:0")
    finally:
        memory.hold("cuda:0", memory.total("cuda:0"))
