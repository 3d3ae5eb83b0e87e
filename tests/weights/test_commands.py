"""`vsvfi models install, verify, remove, path`: what a person types, what is said, what is there afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from vsvfi import plugins
from vsvfi.cli.app import app
from vsvfi.weights import fetch, store

from .files import KINDS, SHAPES, WIDE, fill, without_t
from .server import Site, serving

pytestmark = pytest.mark.usefixtures("tiny")


def run(*words: object, expect: int = 0) -> str:
    done = CliRunner().invoke(app, ["models", *(str(word) for word in words)])
    assert done.exit_code == expect, done.output
    return " ".join(done.output.split())


def saved(path: Path, weights: dict[str, torch.Tensor], kind: str = "bare") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](weights, path)
    return path


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    return saved(tmp_path / "tiny_official.pth", without_t(fill(SHAPES)))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tiny_file: Path) -> Iterator[Site]:
    """Has tiny's published file; `linked` is tiny with the address of it."""
    monkeypatch.setattr(fetch, "WAIT", 0.0)
    with serving(Site(files={"/w.pth": tiny_file.read_bytes()})) as running:
        yield running


@pytest.fixture
def linked(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes tiny's authors link to the file itself, and say more of it."""
    known = plugins.spec

    def link(**facts: Any) -> None:
        facts["url"] = f"{site.url}/w.pth"
        monkeypatch.setattr(plugins, "spec", lambda name: dataclasses.replace(known(name), **facts))

    return link


def test_from_a_file_verify_path_show_and_remove(tiny_file: Path, store_folder: Path) -> None:
    assert run("path", "tiny", expect=1).endswith("tiny is not installed; run: vsvfi models install tiny")
    text = run("install", "tiny", "--from", tiny_file)
    assert text == "tiny: installed, 4 tensors, 0.0 MB, from torch.save"
    assert run("path", "tiny") == str(store_folder / "tiny.safetensors").replace("\n", "")
    assert run("path") == str(store_folder)
    assert str(tiny_file.name) in run("show", "tiny").replace(" ", "")
    assert "ignores_t=True" in run("show", "tiny")
    assert run("verify").startswith("tiny: as installed ")
    store.weights_file(plugins.spec("tiny")).write_bytes(b"")
    assert "was changed since it was installed" in run("verify", "tiny", expect=1)
    assert run("remove", "tiny").startswith("tiny: removed, ")
    assert "is not installed" in run("remove", "tiny", expect=1)
    assert run("verify") == ""


def test_the_name_may_be_left_out(tiny_file: Path) -> None:
    assert run("install", "--from", tiny_file).startswith("tiny: installed")


def test_a_remark_on_values(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pth", fill(SHAPES))
    assert "tiny: note: unlike in the published weights, ignores_t is False" in run("install", "tiny", "--from", file)


def test_a_licence_is_shown_once(tmp_path: Path) -> None:
    file = saved(tmp_path / "wide.pth", fill(WIDE))
    says = "tiny-wide: for non-commercial use only (CC-BY-NC-4.0, https://example.org/tiny)"
    assert says in run("install", "--from", file)
    record = store.record(plugins.spec("tiny-wide"))
    assert record is not None
    assert (record.license_shown, record.commercial, record.license) == (True, False, "CC-BY-NC-4.0")
    assert says not in run("install", "--from", file)


def test_from_a_folder(tmp_path: Path, tiny_file: Path) -> None:
    folder = tmp_path / "checkpoints"
    saved(folder / "a" / "x.pth", without_t(fill(SHAPES)))
    saved(folder / "y.pt", fill(SHAPES), "TorchScript")
    saved(folder / "strange.pth", {"x": torch.ones(1)})
    text = run("install", "--from", folder)
    assert "tiny: installed" in text
    assert "tiny-any: installed" in text
    assert "passed over" in text
    assert "strange.pth fits no model" in text
    run("remove", "tiny", "tiny-any")
    assert "tiny: installed" in run("install", "tiny", "--from", folder)
    assert not store.is_installed(plugins.spec("tiny-any"))
    text = run("install", "tiny-wide", "--from", folder, expect=1)
    assert "is tiny-wide" in text
    assert "strange.pth fits no model" in text


def test_a_folder_with_one_model_twice(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    first, second = (saved(folder / name, fill(SHAPES)) for name in ("x.pth", "y.pth"))
    assert f"passed over: {second} is tiny-any as well" in run("install", "--from", folder)
    assert store.verify(plugins.spec("tiny-any")).source == str(first)


def test_a_folder_with_a_file_that_fits_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsvfi.weights.checkpoint.Checkpoint.keeps", lambda self, facts: True)
    saved(tmp_path / "checkpoints" / "x.pth", fill(SHAPES))
    assert "fits tiny, tiny-any alike" in run("install", "--from", tmp_path / "checkpoints", expect=1)
    assert "tiny-any: installed" in run("install", "tiny-any", "--from", tmp_path / "checkpoints")


def test_a_download(site: Site, linked, store_folder: Path) -> None:
    linked()
    site.breaks = [200]
    assert run("install", "tiny").startswith("tiny: installed, 4 tensors")
    record = store.verify(plugins.spec("tiny"))
    assert (record.source, record.source_sha256) == (
        f"{site.url}/w.pth",
        hashlib.sha256(site.files["/w.pth"]).hexdigest(),
    )
    assert list((store_folder / "downloads").iterdir()) == []
    site.asked.clear()
    assert "already installed" in run("install", "tiny")
    assert site.asked == []


def test_a_download_from_an_address_given(site: Site) -> None:
    site.moved = {"/latest": "/w.pth"}
    assert run("install", "--from", f"{site.url}/latest").startswith("tiny: installed")


@pytest.mark.parametrize("facts", [{"sha256": "0" * 64}, {"git_blob": "0" * 40}, {"nbytes": 100}])
def test_a_published_file_that_is_another_is_refused(linked, store_folder: Path, facts: dict[str, object]) -> None:
    linked(**facts)
    run("install", "tiny", expect=1)
    assert [p for p in store_folder.rglob("*") if p.is_file()] == []


def test_a_download_that_does_not_fit_is_not_kept(site: Site, linked, store_folder: Path, tmp_path: Path) -> None:
    linked()
    site.files["/w.pth"] = saved(tmp_path / "wide.pth", fill(WIDE)).read_bytes()
    assert "does not fit tiny: of another shape:" in run("install", "tiny", expect=1)
    assert [p for p in store_folder.rglob("*") if p.is_file()] == []


def test_a_hash_given(tiny_file: Path, site: Site) -> None:
    right, wrong = hashlib.sha256(tiny_file.read_bytes()).hexdigest().upper(), "0" * 64
    assert "not " + wrong in run("install", "--from", tiny_file, "--sha256", wrong, expect=1)
    assert "has not the content expected" in run("install", "--from", f"{site.url}/w.pth", "--sha256", wrong, expect=1)
    assert not store.is_installed(plugins.spec("tiny"))
    run("install", "--from", tiny_file, "--sha256", right)
    run("install", "--from", f"{site.url}/w.pth", "--sha256", right)


def test_what_the_authors_give_a_page_for() -> None:
    text = run("install", "tiny", expect=1)
    assert "publish tiny_official.pth on https://example.org/tiny; get it there, then run: " in text
    assert text.endswith("vsvfi models install tiny --from tiny_official.pth")


def test_convert(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    text = run("convert", "tiny", tmp_path / "x.foreign", out)
    assert f"{out}: 4 tensors; now: vsvfi models install tiny|tiny-any|tiny-wide --from {out}" in text
    assert "tiny-any: installed" in run("install", "--from", out)
    assert "exists; give --overwrite" in run("convert", "tiny", tmp_path / "x.foreign", out, expect=2)
    run("convert", "tiny", tmp_path / "x.foreign", out, "--overwrite")
    absent = tmp_path / "none" / "out.safetensors"
    assert f"cannot write to {absent.parent}: No such file" in run("convert", "tiny", "x.foreign", absent, expect=1)


def test_wrong_usage(tiny_file: Path, tmp_path: Path) -> None:
    assert "flow has no weights; it works as it is" in run("install", "flow", expect=2)
    assert "name a model (vsvfi models list), or give a file" in run("install", expect=2)
    assert "cannot be 2 models" in run("install", "tiny", "tiny-any", "--from", tiny_file, expect=2)
    assert 'no model "tini"' in run("install", "tini", expect=2)
    assert "there is no file" in run("install", "--from", tmp_path / "none.pth", expect=1)
    assert "only https is used" in run("install", "--from", "http://example.org/w.pth", expect=1)
    assert 'nothing to convert for "tiny"' in run("convert", "tiny", tiny_file, tmp_path / "o", expect=2)
    assert "exists; give --overwrite" in run("convert", "tiny", tiny_file, tiny_file, expect=2)


def test_doctor_says_what_is_installed_and_what_auto_means(tiny_file: Path, store_folder: Path) -> None:
    def lines() -> dict[str, dict[str, str]]:
        done = CliRunner().invoke(app, ["doctor", "--json"])
        return {line["what"]: line for line in json.loads(done.output)}

    before = lines()
    installed, lacking = before["models"]["found"].split("; not installed: ")
    assert "flow" in installed.split()
    assert {"tiny", "other"} <= set(lacking.split())
    assert before["folder of models"]["found"] == str(store_folder)
    assert before['model="auto"']["found"].startswith("flow is the best installed model for this machine")
    run("install", "tiny", "--from", tiny_file)
    assert "tiny" in lines()["models"]["found"].split("; not installed: ")[0].split()
    store.record_file(plugins.spec("tiny")).unlink()
    assert "has no record of where it came from" in lines()["tiny"]["found"]
