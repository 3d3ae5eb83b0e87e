"""What is installed stands there whole, with a record that it can be held against."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import vsvfi
from vsvfi.errors import WeightsError, WeightsMissingError
from vsvfi.weights import store

from .files import SHAPES, SPECS, fill

TINY = SPECS[0]


def record(**facts: object) -> store.Record:
    plain = {
        "name": "tiny", "source": "a.pth", "source_kind": "torch.save", "source_sha256": "0" * 64, "license": "MIT",
        "commercial": True, "license_shown": False, "checked": True, "facts": {"ignores_t": True},
    }  # fmt: skip
    return store.Record(**{**plain, **facts})


def test_put_and_what_is_written_down(store_folder: Path) -> None:
    assert not store.is_installed(TINY)
    weights = fill(SHAPES)
    made = store.put(TINY, weights, record())
    assert store.is_installed(TINY)
    assert sorted(p.name for p in store_folder.iterdir()) == ["tiny.json", "tiny.safetensors"]
    found = load_file(store_folder / "tiny.safetensors")
    assert all(torch.equal(found[key], value) for key, value in weights.items())
    assert store.record(TINY) == store.verify(TINY) == made
    assert made.sha256 == store.sha256(store_folder / "tiny.safetensors")
    assert made.installed.endswith("+00:00")
    assert made.writer == f"vsvfi {vsvfi.__version__}"
    assert json.loads((store_folder / "tiny.json").read_text())["facts"] == {"ignores_t": True}


def test_keys_that_show_one_tensor_and_views() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    store.put(TINY, {"a": base, "b": base, "turned": base.T}, record())
    found = load_file(store.weights_file(TINY))
    assert torch.equal(found["b"], base)
    assert torch.equal(found["turned"], base.T)


def test_the_same_weights_give_the_same_file() -> None:
    first = store.put(TINY, fill(SHAPES), record())
    assert store.put(TINY, dict(reversed(fill(SHAPES).items())), record()).sha256 == first.sha256


@pytest.mark.parametrize("change", ["byte", "cut", "swapped"])
def test_verify_notices(change: str) -> None:
    store.put(TINY, fill(SHAPES), record())
    file = store.weights_file(TINY)
    content = bytearray(file.read_bytes())
    if change == "byte":
        content[-1] ^= 1
    file.write_bytes({"byte": content, "cut": content[:-4], "swapped": b"x"}[change])
    with pytest.raises(WeightsError, match=r"tiny: .* was changed since it was installed"):
        store.verify(TINY)


@pytest.mark.parametrize("content", [None, "", "[]", '{"name": "tiny"}', '{"unknown": 1}'])
def test_verify_needs_the_record(content: str | None) -> None:
    store.put(TINY, fill(SHAPES), record())
    store.record_file(TINY).unlink()
    if content is not None:
        store.record_file(TINY).write_text(content)
    with pytest.raises(WeightsError, match="has no record beside it"):
        store.verify(TINY)


def test_remove(store_folder: Path) -> None:
    store.put(TINY, fill(SHAPES), record())
    size = store.weights_file(TINY).stat().st_size
    assert store.remove(TINY) == size
    assert list(store_folder.iterdir()) == []
    for call in (store.remove, store.verify, store.require):
        with pytest.raises(WeightsMissingError, match="tiny is not installed; run: vsvfi models install tiny"):
            call(TINY)


class Stop(BaseException):
    """As KeyboardInterrupt: nothing may catch it on its way."""


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("when", ["weights", "hash", "record", "rename"])
def test_an_interrupted_install_leaves_what_was_there(
    store_folder: Path, monkeypatch: pytest.MonkeyPatch, when: str, before: bool
) -> None:
    if before:
        store.put(TINY, fill(SHAPES), record())
    content = {p.name: p.read_bytes() for p in store_folder.iterdir()} if before else {}

    def stops(*_: object, **__: object) -> None:
        raise Stop

    target, name = {
        "weights": ("safetensors.torch", "save_file"), "hash": ("vsvfi.weights.store", "sha256"),
        "record": ("json", "dumps"), "rename": ("os", "replace"),
    }[when]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(f"{target}.{name}", stops)
        with pytest.raises(Stop):
            store.put(TINY, {key: value + 1 for key, value in fill(SHAPES).items()}, record(source="b.pth"))
    assert {p.name: p.read_bytes() for p in store_folder.iterdir()} == content


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions are POSIX's")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VSVFI_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(WeightsError, match=r"cannot write to .*models: Not a directory; \$VSVFI_MODELS names another"):
        store.put(TINY, fill(SHAPES), record())


def test_the_folder(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.folder() == store_folder
    monkeypatch.delenv("VSVFI_MODELS")
    assert store.folder().parts[-2:] == ("vsvfi", "models")
