"""Stand-ins for the filter, so that these tests are about files and not about frames in between."""

from __future__ import annotations

import pytest
import vapoursynth as vs


@pytest.fixture(autouse=True)
def _cache_in_tmp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """BestSource's indexes must not land in the cache of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


def double(source, settings) -> vs.VideoNode:
    """Twice the rate by showing every frame twice."""
    return vs.core.std.Interleave([source.clip, source.clip])


def same(source, settings) -> vs.VideoNode:
    """The clip as it is."""
    return source.clip
