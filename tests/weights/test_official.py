"""Files with the published keys and shapes, in the formats their authors use, install as what they are and run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import vsvfi
from vsvfi import plugins
from vsvfi.cli.app import app
from vsvfi.errors import OptionError, WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights import formats, store
from vsvfi.weights.install import prepare

from ..golden import recipe
from .files import KINDS

T_WEIGHT = "decoder4.convblock.0.0.weight"
NETWORKS = [spec for spec in plugins.specs().values() if spec.family in ("ifrnet", "uprnet", "film", "sdl", "gimmvfi")]
BY_NAME = {spec.name: spec for spec in NETWORKS}
PUBLISHED = {"ifrnet": "bare", "uprnet": "module.", "film": "TorchScript", "sdl": "params", "gimmvfi": "state_dict"}
"""How each family's authors save."""


def weights_of(spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Of the recipe that the published answers were made with; where the published model ignores t, so does this."""
    checkpoint = plugins.checkpoint(spec)
    assert checkpoint is not None
    weights = {key: torch.from_numpy(value) for key, value in recipe.fill_state_dict(checkpoint.shapes).items()}
    if checkpoint.promised.get("ignores_t"):
        weights[T_WEIGHT][:, -1] = 0
    return weights


def install(*words: object, expect: int = 0) -> str:
    done = CliRunner().invoke(app, ["models", "install", *map(str, words)])
    assert done.exit_code == expect, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("name", BY_NAME)
def test_a_published_file_is_recognised_by_its_content(tmp_path: Path, name: str) -> None:
    """Under a name that says nothing; those that nothing tells apart, by the name of the model."""
    spec = BY_NAME[name]
    file = tmp_path / (f"{name}.pt" if spec.family in ("film", "sdl", "gimmvfi") else "download.bin")
    KINDS[PUBLISHED[spec.family]](weights_of(spec), file)
    ready = prepare(file)
    assert (ready.spec.name, ready.checked, ready.remark) == (name, True, None)


@pytest.mark.parametrize("kind", KINDS)
def test_ifrnet_in_every_format(tmp_path: Path, kind: str) -> None:
    weights = weights_of(BY_NAME["ifrnet-s"])
    KINDS[kind](weights, tmp_path / "file")
    assert "ifrnet-s: installed, 104 tensors" in install("--from", tmp_path / "file")
    record = store.verify(BY_NAME["ifrnet-s"])
    assert (record.checked, record.facts) == (True, {"ignores_t": True})
    found = formats.read(store.weights_file(BY_NAME["ifrnet-s"]))
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], value) for key, value in weights.items())


@pytest.mark.parametrize(
    "name", ["ifrnet-s", "ifrnet-s-gopro", "uprnet-base", "film-style", "sdl-vfi-psnr", "gimmvfi-f"]
)
def test_what_is_installed_runs(tmp_path: Path, name: str) -> None:
    spec = BY_NAME[name]
    file = tmp_path / Path(str(spec.checkpoint)).name
    KINDS[PUBLISHED[spec.family]](weights_of(spec), file)
    text = install(name, "--from", file)
    assert ("non-commercial" in text) != spec.commercial
    image = torch.rand(2, 1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    from_store = vsvfi.load(name, device="cpu").interpolate(*image)
    assert from_store.isfinite().all()
    assert torch.equal(from_store, vsvfi.load(name, weights=file, device="cpu").interpolate(*image))


def test_sdl_files_that_fit_several_models_are_asked_about(tmp_path: Path) -> None:
    """Seven share keys and shapes, four others theirs; the published file's name decides, else the user must."""
    weights = weights_of(BY_NAME["sdl-dog2dog-512"])
    KINDS["params"](weights, tmp_path / "SDL_dog2dog_512.pth")
    assert prepare(tmp_path / "SDL_dog2dog_512.pth").spec.name == "sdl-dog2dog-512"
    KINDS["params"](weights, tmp_path / "net_g_600000.pth")
    with pytest.raises(OptionError, match=r"sdl-vfi-psnr, .*sdl-style-transfer-arbitrary alike; say which it is"):
        prepare(tmp_path / "net_g_600000.pth")
    with pytest.raises(WeightsError, match=r"does not fit sdl-aging-scale: .*head\.0\.weight"):
        prepare(tmp_path / "SDL_dog2dog_512.pth", BY_NAME["sdl-aging-scale"])


def test_film_in_half_precision(tmp_path: Path) -> None:
    """As film_net_fp16.pt is."""
    weights = {key: value.half() for key, value in weights_of(BY_NAME["film-style"]).items()}
    KINDS["TorchScript"](weights, tmp_path / "film_net_fp16.pt")
    install("film-style", "--from", tmp_path / "film_net_fp16.pt")
    assert vsvfi.load("film-style", device="cpu").dtype == torch.float32


NORM, ITS_TWIN = "cnet.layer2.0.downsample.1.weight", "cnet.layer2.0.norm3.weight"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("gimmvfi-r-p", "gimmvfi_r_arb_lpips_fp32.safetensors"), ("gimmvfi-f", "GIMMVFI_F_ARB_fp16.safetensors"),
        ("raft-gimm", "raft-things_fp32.safetensors"), ("flowformer-gimm", "flowformer_sintel_fp32.safetensors"),
    ],
)  # fmt: skip
def test_single_file_conversions_of_gimmvfi(tmp_path: Path, name: str, called: str) -> None:
    """Flat, in one precision, whole numbers as they are; two trainings differ by the file's name alone."""
    weights = weights_of(BY_NAME[name])
    lower = {
        key: value.half() if "fp16" in called and value.is_floating_point() else value for key, value in weights.items()
    }
    KINDS["safetensors"](lower, tmp_path / called)
    ready = prepare(tmp_path / called)
    assert (ready.spec.name, ready.checked) == (name, True)
    assert ready.weights.keys() == weights.keys()


@pytest.mark.parametrize("left", [NORM, ITS_TWIN])
def test_a_tensor_with_two_names_may_come_under_either(tmp_path: Path, left: str) -> None:
    """Writers of safetensors refuse two names for one tensor, or drop one."""
    weights = weights_of(BY_NAME["raft-gimm"])
    weights[ITS_TWIN] = weights[NORM]
    KINDS["safetensors"]({key: value for key, value in weights.items() if key != left}, tmp_path / "file")
    ready = prepare(tmp_path / "file")
    assert ready.spec.name == "raft-gimm"
    assert all(torch.equal(ready.weights[key], value) for key, value in weights.items())
    assert vsvfi.load("raft-gimm", weights=tmp_path / "file", device="cpu").spec.name == "raft-gimm"
    without_both = {key: value for key, value in weights.items() if key not in (NORM, ITS_TWIN)}
    KINDS["safetensors"](without_both, tmp_path / "less")
    with pytest.raises(WeightsError, match=r"nearest to raft-gimm: it lacks cnet\.layer2\.0\."):
        prepare(tmp_path / "less")


def test_one_tensor_under_two_names_as_the_authors_save_it(tmp_path: Path) -> None:
    weights = weights_of(BY_NAME["raft-gimm"])
    weights[ITS_TWIN] = weights[NORM]
    KINDS["module."](weights, tmp_path / "raft-things.pth")
    assert "raft-gimm: installed" in install("--from", tmp_path / "raft-things.pth")
    assert store.verify(BY_NAME["raft-gimm"]).checked


def test_gopro_weights_under_the_other_name_are_remarked_on(tmp_path: Path) -> None:
    KINDS["bare"](weights_of(BY_NAME["ifrnet-s-gopro"]), tmp_path / "file")
    assert "note: unlike in the published weights, ignores_t is False" in install(
        "ifrnet-s", "--from", tmp_path / "file"
    )


@pytest.mark.parametrize(
    ("made_as", "installed_as"), [("ifrnet-s", "ifrnet"), ("uprnet-base", "uprnet-large"), ("uprnet-base", "ifrnet-s")]
)
def test_a_file_of_another_model_is_refused(tmp_path: Path, made_as: str, installed_as: str) -> None:
    KINDS["bare"](weights_of(BY_NAME[made_as]), tmp_path / "file")
    with pytest.raises(WeightsError, match=rf"does not fit {installed_as}: .*; it fits .*{made_as}"):
        prepare(tmp_path / "file", BY_NAME[installed_as])
    assert not store.is_installed(BY_NAME[installed_as])
