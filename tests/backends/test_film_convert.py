"""The published TensorFlow SavedModels become the torch weights; the names' rule is held against the whole table."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from vsvfi.backends.film import convert

from tests.backends.film import HERE, weights
from vsvfi.errors import VsvfiError, WeightsError

TABLE: dict[str, str] = json.loads((HERE / "tf_to_torch_keys.json").read_text(encoding="utf-8"))
"""TensorFlow's name -> torch's key, verified by value with the published exporter."""


def test_names_become_the_published_keys() -> None:
    assert convert.torch_keys(TABLE) == TABLE
    assert len(TABLE) == 82


def test_names_may_lack_the_output_number_and_stand_below_others() -> None:
    below = {f"film_net/{name.removesuffix(':0')}": key for name, key in TABLE.items()}
    assert convert.torch_keys(below) == below


def test_the_decoders_numbers_only_order_it() -> None:
    """TensorFlow numbers the layers of a whole process: a second network in it begins where the first ended."""
    renumbered = {}
    for name, key in TABLE.items():
        if name.startswith("fusion/"):
            layer, part = name.split("/")[1:]
            number = int(layer.removeprefix("conv2d").removeprefix("_") or 0) + 17
            name = f"fusion/conv2d_{number}/{part}"
        renumbered[name] = key
    assert convert.torch_keys(renumbered) == renumbered


def test_other_variables_are_left_out() -> None:
    assert convert.torch_keys([*TABLE, "save_counter:0", "optimizer/iter", "fusion/batch_norm/gamma:0", ""]) == TABLE


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no variables/variables\.index"):
        convert.convert(tmp_path)


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    (tmp_path / "variables").mkdir()
    (tmp_path / "variables/variables.index").write_bytes(b"")
    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(VsvfiError, match=r"vsvfi\[film-convert\]"):
        convert.convert(tmp_path)


@pytest.fixture(scope="module")
def tensorflow():
    return pytest.importorskip("tensorflow", reason="TensorFlow is absent (the extra film-convert)")


def saved(tensorflow, folder: Path, made: dict[str, torch.Tensor]) -> Path:
    """A SavedModel as FILM's: the variables under their published names, in TensorFlow's layout, in a list."""
    root = tensorflow.Module()
    root.keras_api = tensorflow.Module()
    root.keras_api.all = [
        tensorflow.Variable(
            made[key].permute(2, 3, 1, 0).numpy() if made[key].ndim == 4 else made[key].numpy(),
            name=name.removesuffix(":0"),
        )
        for name, key in TABLE.items()
        if key in made
    ]
    root.step = tensorflow.Variable(3, name="save_counter")
    tensorflow.saved_model.save(root, str(folder))
    return folder


@pytest.fixture(scope="module")
def published(tensorflow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tensorflow, tmp_path_factory.mktemp("film") / "saved_model", weights())


def test_a_saved_model_becomes_the_weights(published: Path) -> None:
    converted = convert.convert(published)
    assert list(converted) == list(TABLE.values())
    for key, value in weights().items():
        assert converted[key].dtype == torch.float32
        assert converted[key].is_contiguous()
        assert torch.equal(converted[key], value)


def test_its_graph_is_not_needed(published: Path, tmp_path: Path) -> None:
    """Nothing but numbers is read: the graph of an untrusted file could hold anything."""
    shutil.copytree(published, tmp_path / "bare")
    (tmp_path / "bare/saved_model.pb").write_bytes(b"no graph at all")
    key = "fuse.output_conv.weight"
    assert torch.equal(convert.convert(tmp_path / "bare")[key], weights()[key])


@pytest.mark.parametrize("file", ["variables.index", "variables.data-00000-of-00001"])
def test_damage_is_told(published: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(published, tmp_path / "cut")
    cut = tmp_path / "cut/variables" / file
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    with pytest.raises(WeightsError, match="damaged"):
        convert.convert(tmp_path / "cut")


@pytest.mark.parametrize("wrong", ["absent", "shape"])
def test_another_networks_saved_model_is_refused(tensorflow, tmp_path: Path, wrong: str) -> None:
    key = "predict_flow._predictors.1._convs.3.0.weight"
    made = {**weights(), key: torch.zeros(32, 64, 3, 3)}
    if wrong == "absent":
        del made[key]
    with pytest.raises(WeightsError, match=key.replace(".", r"\.")):
        convert.convert(saved(tensorflow, tmp_path / "other", made))
