from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vsvfi import plugins

from .files import Plugin


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of the test's own."""
    monkeypatch.setenv("VSVFI_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def tiny() -> Iterator[None]:
    """The plugin of files.py is registered."""
    plugin = Plugin()
    plugins.register(plugin, "tiny")
    yield
    plugins.unregister(plugin)
