"""Which model a file is, whether it fits, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vsvfi import plugins
from vsvfi.errors import OptionError, WeightsError
from vsvfi.weights import store
from vsvfi.weights.checkpoint import misfit
from vsvfi.weights.install import files_in, keep, prepare

from .files import KINDS, OTHER, SHAPES, WIDE, fill, without_t

pytestmark = pytest.mark.usefixtures("tiny")


def saved(path: Path, weights: dict[str, torch.Tensor], kind: str = "bare") -> Path:
    KINDS[kind](weights, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_installs(tmp_path: Path, kind: str) -> None:
    file = saved(tmp_path / "file", without_t(fill(SHAPES)), kind)
    ready = prepare(file, plugins.spec("tiny"))
    record = keep(ready, file, "somewhere", license_shown=False)
    assert (ready.checked, ready.remark, record.facts) == (True, None, {"ignores_t": True})
    assert (record.source, record.source_sha256) == ("somewhere", store.sha256(file))
    assert store.verify(ready.spec) == record


@pytest.mark.parametrize("kind", ["bare", "TorchScript", "safetensors, module."])
@pytest.mark.parametrize(
    ("weights", "name"),
    [(without_t(fill(SHAPES)), "tiny"), (fill(SHAPES), "tiny-any"), (fill(WIDE), "tiny-wide"), (fill(OTHER), "other")],
)
def test_a_file_is_recognised(tmp_path: Path, weights: dict[str, torch.Tensor], name: str, kind: str) -> None:
    assert prepare(saved(tmp_path / "file", weights, kind)).spec.name == name


def test_values_that_differ_from_the_published_are_remarked_on(tmp_path: Path) -> None:
    ready = prepare(saved(tmp_path / "file", fill(SHAPES)), plugins.spec("tiny"))
    assert ready.remark == "unlike in the published weights, ignores_t is False"
    assert ready.facts == {"ignores_t": False}


def test_what_fits_alike_goes_by_the_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models of one architecture that no value tells apart."""
    monkeypatch.setattr("tests.weights.files.facts", lambda weights: {"ignores_t": None})
    monkeypatch.setattr("vsvfi.weights.checkpoint.Checkpoint.keeps", lambda self, facts: True)
    unnamed = saved(tmp_path / "file.pth", fill(SHAPES))
    with pytest.raises(OptionError, match=r"fits tiny, tiny-any alike; say which it is: vsvfi models install NAME"):
        prepare(unnamed)
    for name, model in (("tiny-any_official.pth", "tiny-any"), ("Tiny_Official.pth", "tiny"), ("tiny.bin", "tiny")):
        assert prepare(saved(tmp_path / name, fill(SHAPES))).spec.name == model


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"conv.weight": (4, 3, 5, 5)}, r"of another shape: conv\.weight is \(4, 3, 5, 5\), not \(4, 3, 3, 3\)$"),
        ({"conv.weight": None}, r"it lacks conv\.weight$"),
        ({"more": (1,)}, r"it has besides more$"),
        ({f"more{i}": (1,) for i in range(5)}, r"it has besides more0, more1, more2 and 2 more$"),
        ({"conv.bias": None, "more": (1,), "count": (1,)},
         r"it lacks conv\.bias; it has besides more; of another shape: count is \(1,\), not \(\)$"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(tmp_path: Path, change: dict[str, tuple[int, ...] | None], says: str) -> None:
    shapes = {key: shape for key, shape in {**SHAPES, **change}.items() if shape is not None}
    file = saved(tmp_path / "file.pth", fill(shapes))
    with pytest.raises(WeightsError, match=rf"file\.pth does not fit tiny: {says}"):
        prepare(file, plugins.spec("tiny"))
    with pytest.raises(WeightsError, match=rf"file\.pth fits no model; it is nearest to tiny: {says}"):
        prepare(file)
    assert not store.is_installed(plugins.spec("tiny"))


def test_a_checkpoint_of_another_family(tmp_path: Path) -> None:
    file = saved(tmp_path / "file.pth", fill(OTHER))
    with pytest.raises(WeightsError, match=r"does not fit tiny: it lacks .* and 1 more; .*; it fits other$"):
        prepare(file, plugins.spec("tiny"))
    with pytest.raises(WeightsError, match=r"fits no model; there are: .*tiny, tiny-any"):
        prepare(saved(tmp_path / "strange.pth", {"x": torch.ones(1)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(tmp_path: Path, value: float) -> None:
    weights = fill(SHAPES)
    weights["conv.bias"][2] = value
    with pytest.raises(WeightsError, match=r"is damaged: conv\.bias holds numbers that are not finite"):
        prepare(saved(tmp_path / "file.pth", weights), plugins.spec("tiny"))


def test_a_plugin_that_says_nothing_gets_its_file_unchecked(tmp_path: Path) -> None:
    file = saved(tmp_path / "file.pth", {"x": torch.ones(1)})
    ready = prepare(file, plugins.spec("silent"))
    assert not ready.checked
    assert not keep(ready, file, "here", license_shown=False).checked


def test_a_plugin_that_fails_does_not_stop_the_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = saved(tmp_path / "file.pth", fill(WIDE))
    ask = plugins.checkpoint

    def fails(spec):
        return ask(spec) if spec.family == "tiny" else 1 / 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "checkpoint", fails)
        assert prepare(file).spec.name == "tiny-wide"
    assert "other is left out of the search: its plugin fails with ZeroDivisionError" in caplog.text


def test_files_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no weights file"):
        files_in(tmp_path)
    (tmp_path / "a" / "variables").mkdir(parents=True)
    (tmp_path / "a" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(WeightsError, match="holds a TensorFlow SavedModel; convert it first"):
        files_in(tmp_path)
    for name in ("b/x.PTH", "a/y.safetensors", "notes.txt", "z.pkl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [str(p.relative_to(tmp_path)) for p in files_in(tmp_path)] == ["a/y.safetensors", "b/x.PTH", "z.pkl"]


def test_misfit_of_what_fits() -> None:
    assert misfit(SHAPES, dict(reversed(SHAPES.items()))) is None
