from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import threading
import time
import types
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import vsvfi
from vsvfi import loading, plugins
from vsvfi.errors import DeviceError, OptionError, UnknownModelError, WeightsError, WeightsMissingError
from vsvfi.model import Features, Model, ModelSpec, Motion
from vsvfi.weights import store

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")


def spec(name: str, **facts) -> ModelSpec:
    plain = {"family": "test", "variant": "", "summary": "", "license": "MIT", "commercial": True, "source": ""}
    return ModelSpec(name=name, **{**plain, **facts})


@dataclass(frozen=True)
class Images(Features, Motion):
    images: tuple[torch.Tensor, ...]


class Gain(Model):
    """(1 - t) * image0 + t * image1, times a weight."""

    built = 0

    def __init__(self, spec, device, dtype, weights) -> None:
        super().__init__(spec, device, dtype)
        type(self).built += 1
        time.sleep(0.02)
        self.gain = 1.0 if weights is None else weights["gain"].to(device, dtype)

    def encode(self, image):
        return Images((image,))

    def relate(self, features0, features1):
        return Images(features0.images + features1.images)

    def synthesize(self, motion, t):
        first, second = motion.images
        return torch.lerp(first, second, t) * self.gain


SPECS = [
    spec("plain", scales=(0.5, 2.0), precisions=("fp16", "fp32")),
    spec("gain", checkpoint="gain.pth", precisions=("fp32", "bf16")),
    spec("cards-only", devices=("cuda",), precisions=("fp16",)),
]


@pytest.fixture(autouse=True)
def test_models(tmp_path, monkeypatch):
    monkeypatch.setenv("VSVFI_MODELS", str(tmp_path / "models"))
    plugin: Any = types.ModuleType("test_models")
    plugin.vsvfi_models = vsvfi.hookimpl(specname="vsvfi_models")(lambda: SPECS)

    def build(spec, device, dtype, weights):
        return Gain(spec, device, dtype, weights) if spec.family == "test" else None

    plugin.vsvfi_build = vsvfi.hookimpl(specname="vsvfi_build")(build)
    plugins.register(plugin)
    yield
    plugins.unregister(plugin)


@pytest.fixture
def two_cards(monkeypatch):
    """A machine with two CUDA devices, as far as choosing among them goes."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.fixture
def no_cards(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


def install(name: str, gain: float = 3.0) -> None:
    file = store.weights_file(plugins.spec(name))
    file.parent.mkdir(exist_ok=True)
    save_file({"gain": torch.tensor(gain)}, file)


def middle(model: Model) -> float:
    """The answer between a black and a white image."""
    black = torch.zeros(1, 3, 16, 16)
    return model.interpolate(black, black + 1).mean().item()


def test_a_model_without_weights() -> None:
    model = vsvfi.load("plain", device="cpu")
    assert (model.spec.name, model.device, model.dtype) == ("plain", CPU, torch.float32)
    assert middle(model) == 0.5


def test_installed_weights() -> None:
    assert not store.is_installed(plugins.spec("gain"))
    with pytest.raises(WeightsMissingError, match="gain is not installed; run: vsvfi models install gain"):
        vsvfi.load("gain")
    install("gain")
    assert store.is_installed(plugins.spec("gain"))
    assert middle(vsvfi.load("gain", device="cpu")) == 1.5


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"module.gain": w["gain"]}], ids=["bare", "module."])
@pytest.mark.parametrize("kind", ["state_dict", "gain.safetensors", "gain.pth", "safetensors.pth"])
def test_weights_of_ones_own(tmp_path, kind: str, wrap) -> None:
    """What a file is shows in its bytes, not its name."""
    weights = wrap({"gain": torch.tensor(5.0)})
    if kind == "state_dict":
        given = weights
    else:
        given = tmp_path / kind
        (save_file if "safetensors" in kind else torch.save)(weights, given)
    assert middle(vsvfi.load("gain", weights=given, device="cpu")) == 2.5


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pth"])
@pytest.mark.parametrize("content", [b"", b"\x80\x02nonsense", b"PK\x03\x04" + bytes(99), b"\xff" * 64])
def test_a_damaged_file_is_refused(tmp_path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged"):
        vsvfi.load("gain", weights=tmp_path / name)


def test_a_hostile_pickle_is_not_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"gain": Hostile()}, "bad.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        vsvfi.load("gain", weights="bad.pth")
    assert not (tmp_path / "was-run").exists()


def test_what_is_no_state_dict_is_refused(tmp_path) -> None:
    torch.save({"state": {"gain": torch.zeros(1)}}, tmp_path / "nested.pth")
    with pytest.raises(WeightsError, match=r"nested.pth must be a state_dict .*, got dict at 'state'"):
        vsvfi.load("gain", weights=tmp_path / "nested.pth")
    torch.save(torch.zeros(1), tmp_path / "tensor.pth")
    with pytest.raises(WeightsError, match="got Tensor"):
        vsvfi.load("gain", weights=tmp_path / "tensor.pth")


def test_wrong_requests() -> None:
    with pytest.raises(UnknownModelError, match='no model "plainn"; did you mean "plain"'):
        vsvfi.load("plainn")
    with pytest.raises(OptionError, match="plain has no weights; leave weights out"):
        vsvfi.load("plain", weights={"gain": torch.ones(1)})
    with pytest.raises(OptionError, match=r"plain runs in fp16 or fp32, got precision torch\.float64"):
        vsvfi.load("plain", dtype=torch.float64)
    with pytest.raises(WeightsMissingError, match=r"there is no file nowhere\.pth"):
        vsvfi.load("gain", weights="nowhere.pth")


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("model", "asked", "got"),
    [
        ("plain", None, "cuda:0"),
        ("flow", None, "cpu"),
        ("plain", "cpu", "cpu"),
        ("plain", "cpu:0", "cpu"),
        ("plain", "cuda", "cuda:0"),
        ("plain", "cuda:1", "cuda:1"),
        ("plain", torch.device("cuda", 1), "cuda:1"),
    ],
)
def test_devices(model: str, asked: str | torch.device | None, got: str) -> None:
    found = loading.resolve_device(asked, plugins.spec(model))
    assert found == got


@pytest.mark.usefixtures("no_cards")
def test_devices_of_a_machine_without_cards() -> None:
    assert loading.resolve_device(None, plugins.spec("plain")) == "cpu"
    with pytest.raises(DeviceError, match=r"^device cuda:1 is absent; this machine has: cpu$"):
        loading.resolve_device("cuda:1", plugins.spec("plain"))
    with pytest.raises(DeviceError, match=r"^cards-only runs on cuda only; this machine has: cpu$"):
        loading.resolve_device(None, plugins.spec("cards-only"))


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("model", "asked", "message"),
    [
        ("plain", "cuda:2", "device cuda:2 is absent; this machine has: cpu, cuda:0, cuda:1"),
        ("flow", "cuda:0", "flow runs on cpu only, got cuda:0"),
        ("plain", "meta", "plain runs on cpu and cuda only, got meta"),
        ("plain", "abacus", 'no device is called "abacus"; name one like "cpu", "cuda" or "cuda:1"'),
        ("plain", "", 'no device is called ""; name one like "cpu", "cuda" or "cuda:1"'),
    ],
)
def test_refused_devices(model: str, asked: str, message: str) -> None:
    with pytest.raises(DeviceError) as caught:
        loading.resolve_device(asked, plugins.spec(model))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("model", "asked", "device", "got"),
    [
        ("plain", "auto", "cpu", "fp32"),
        ("plain", "auto", "cuda:0", "fp16"),
        ("gain", "auto", "cuda:0", "fp32"),
        ("gain", "bf16", "cpu", "bf16"),
    ],
)
def test_precisions(model: str, asked: str, device: str, got: str) -> None:
    assert loading.resolve_precision(asked, plugins.spec(model), device) == got


def test_a_refused_precision() -> None:
    with pytest.raises(OptionError, match=r"^flow runs in fp32, got precision fp16$"):
        loading.resolve_precision("fp16", plugins.spec("flow"), "cpu")


def test_one_model_for_all_who_ask_at_once_and_freed_with_the_last(monkeypatch) -> None:
    monkeypatch.setattr(Gain, "built", 0)
    barrier = threading.Barrier(6)

    def ask(_: int) -> Model:
        barrier.wait()
        return loading.shared(plugins.spec("plain"), "cpu", "fp32")

    with ThreadPoolExecutor(6) as pool:
        models = list(pool.map(ask, range(6)))
    assert len({id(model) for model in models}) == 1
    assert Gain.built == 1
    configured, alive = models[0].configured(scale=2.0), weakref.ref(models[0])
    models.clear()
    gc.collect()
    assert loading.shared(plugins.spec("plain"), "cpu", "fp32") is alive(), "a configured copy keeps it"
    del configured
    gc.collect()
    assert alive() is None
    loading.shared(plugins.spec("plain"), "cpu", "fp32")
    assert Gain.built == 2


def test_other_kinds_are_other_models() -> None:
    install("gain")
    kept = [
        loading.shared(plugins.spec(name), "cpu", precision)
        for name, precision in [("plain", "fp32"), ("gain", "fp32"), ("gain", "bf16")]
    ]
    assert len({id(model) for model in kept}) == 3
    assert [middle(model) for model in kept] == [0.5, 1.5, 1.5]


def test_a_failed_build_is_tried_again() -> None:
    with pytest.raises(WeightsMissingError):
        loading.shared(plugins.spec("gain"), "cpu", "fp32")
    install("gain")
    assert middle(loading.shared(plugins.spec("gain"), "cpu", "fp32")) == 1.5


FLOW = spec("flow", quality=1.0, devices=("cpu",))
GOOD = spec("good", quality=5.0)
BEST = spec("best", quality=9.0, checkpoint="best.pth")


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("known", "device", "chosen", "why"),
    [
        ([FLOW], None, "flow", "flow is the best installed model for this machine at 1920x1080"),
        ([FLOW, GOOD], None, "good", "good is the best installed model for this machine at 1920x1080"),
        ([FLOW, GOOD], "cpu", "good", "good is the best installed model for cpu at 1920x1080"),
        ([FLOW, dataclasses.replace(GOOD, cost=21.0)], "cpu", "flow", "flow is the best installed"),
        ([FLOW, dataclasses.replace(GOOD, cost=21.0)], "cuda:1", "good", "good is the best installed"),
        ([FLOW], "cuda:1", "flow", "flow: no model suits cuda:1 at 1920x1080, and flow needs nothing"),
        ([FLOW, GOOD, BEST], None, "good", "; best would be better but is not installed (vsvfi models install best)"),
        ([FLOW, GOOD, dataclasses.replace(BEST, cost=21.0)], "cpu", "good", "for cpu at 1920x1080"),
        ([FLOW, dataclasses.replace(BEST, commercial=False), GOOD], None, "good", "for this machine at 1920x1080"),
        ([FLOW, dataclasses.replace(GOOD, devices=("cuda",))], "cpu", "flow", "for cpu at 1920x1080"),
    ],
)  # fmt: skip
def test_auto(monkeypatch, known, device, chosen, why) -> None:
    known_by_name = {spec.name: spec for spec in known}
    monkeypatch.setattr(plugins, "specs", lambda: known_by_name)
    monkeypatch.setattr(plugins, "spec", known_by_name.__getitem__)
    assert loading.choose(device, (1920, 1080)).name == chosen
    sentence = loading.why_chosen(device, (1920, 1080))
    assert why in sentence
    assert ("would be better" in sentence) == ("would be better" in why), "nothing is named that would not be taken"


def test_auto_heeds_the_size_on_a_cpu(monkeypatch) -> None:
    """21 times flow's cost: 0.05 s at 448x256, 0.94 s at 1920x1080."""
    known = {"flow": FLOW, "good": dataclasses.replace(GOOD, cost=21.0)}
    monkeypatch.setattr(plugins, "specs", lambda: known)
    monkeypatch.setattr(plugins, "spec", known.__getitem__)
    assert loading.choose("cpu", (448, 256)).name == "good"
    assert loading.choose("cpu", (1920, 1080)).name == "flow"


def test_auto_takes_what_was_installed(monkeypatch) -> None:
    monkeypatch.setattr(plugins, "specs", lambda: {"flow": FLOW, "gain": dataclasses.replace(SPECS[1], quality=2.0)})
    install("gain")
    assert loading.choose("cpu", (64, 64)).name == "gain"


def test_asking_what_is_installed_imports_no_torch() -> None:
    script = (
        "import sys; from vsvfi import loading, plugins; from vsvfi.weights import store\n"
        "assert all(map(store.is_installed, [plugins.spec('flow')]))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
