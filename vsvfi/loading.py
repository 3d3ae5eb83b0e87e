"""From a model's name to a Model on a device: `vsvfi.load`, and what the filter needs of it.

Called `loading` because `vsvfi.load` is the function. torch arrives with the first model, not at import: the
command line asks here what is installed, and must answer at once.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from . import plugins
from .allocation import keep_large_blocks
from .errors import DeviceError, OptionError
from .weights import store

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .model import Model, ModelSpec, Task

type Weights = str | Path | Mapping[str, Tensor] | None

SLOWEST_ON_CPU = 0.25
"""Seconds an in-between, about, up to which model="auto" takes a model on a CPU."""

_FLOW_SECONDS = 0.0216
"""What `flow` takes for a million pixels on two cores (docs/benchmarks/flow-quality.md): the unit of a spec's cost."""

_shared: weakref.WeakValueDictionary[tuple[str, str, str], Model] = weakref.WeakValueDictionary()
_sharing = threading.RLock()  # re-entrant: a model made of other models asks for them while it is built


def load(
    name: str,
    *,
    weights: Weights = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Model:
    """A model of its own for the caller, on tensors; VapourSynth is not needed.

    Args:
        name: as `vsvfi models list` shows it.
        weights: None for the installed ones; a file of any kind that `vsvfi models install --from` takes (nothing in
            it is run); or a state_dict with the official checkpoint's keys.
        device: "cpu", "cuda:1", ...; None: the first CUDA device if the model runs there, else the CPU.
        dtype: torch.float32, float16 or bfloat16; None: what suits model and device.

    Raises:
        UnknownModelError: no plugin has such a model.
        WeightsMissingError: its weights are not installed, or the file does not exist.
        WeightsError: the file is damaged or no state_dict.
        DeviceError: the device is absent or the model does not run on it.
        OptionError: weights for a model that has none, or a dtype it does not run in.
    """
    spec = plugins.spec(name)
    where = resolve_device(device, spec)
    precision = "auto" if dtype is None else _precision_of(dtype)
    return _built(spec, where, resolve_precision(precision, spec, where), _weights(spec, weights))


def shared(spec: ModelSpec, device: str, precision: str) -> Model:
    """The one model of this kind with installed weights: built for the first who asks, freed with its last user.

    Args:
        spec: of the model.
        device: from `resolve_device`.
        precision: from `resolve_precision`.
    """
    key = spec.name, device, precision
    with _sharing:
        model = _shared.get(key)
        if model is None:
            model = _shared[key] = _built(spec, device, precision, _weights(spec, None))
        return model


def _built(spec: ModelSpec, device: str, precision: str, weights: Mapping[str, Tensor] | None) -> Model:
    if device == "cpu" and spec.layout == "rgb":
        keep_large_blocks()
    return plugins.build(spec, device, precision, weights)


def resolve_device(device: str | torch.device | None, spec: ModelSpec) -> str:
    """The name of the device meant: "cpu", or with its index, "cuda:0". The CPU is found without torch.

    Args:
        device: None: the machine's accelerator if the model runs there, else the CPU.
        spec: of the model that is to run there.

    Raises:
        DeviceError: no such device here, or the model does not run on it.
    """
    if (device is None and spec.devices == ("cpu",)) or (str(device) == "cpu" and "cpu" in spec.devices):
        return "cpu"
    import torch

    present = _present()
    if device is None:
        fitting = [found for found in (*present[1:], present[0]) if found.type in spec.devices]
        if not fitting:
            raise DeviceError(f"{spec.name} runs on {_kinds(spec)} only; this machine has: {_names(present)}")
        return str(fitting[0])
    try:
        meant = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f'no device is called "{device}"; name one like "cpu", "cuda" or "cuda:1"') from error
    if meant.type not in spec.devices:
        raise DeviceError(f"{spec.name} runs on {_kinds(spec)} only, got {device}")
    if meant.index is None or meant.type == "cpu":
        meant = torch.device("cpu") if meant.type == "cpu" else torch.device(meant.type, 0)
    if meant not in present:
        raise DeviceError(f"device {device} is absent; this machine has: {_names(present)}")
    return str(meant)


def resolve_precision(precision: str, spec: ModelSpec, device: str) -> str:
    """The precision meant; "auto" is "fp32" on a CPU, else the one that the spec names first.

    Raises:
        OptionError: the model does not run in it.
    """
    if precision == "auto":
        on_cpu = device == "cpu" and "fp32" in spec.precisions
        precision = "fp32" if on_cpu else spec.precisions[0]
    if precision not in spec.precisions:
        raise OptionError(f"{spec.name} runs in {' or '.join(spec.precisions)}, got precision {precision}")
    return precision


_TASKS: dict[Task, tuple[str, str]] = {
    "interpolate": ("makes frames in between", "vsvfi.Interpolate"),
    "transition": ("makes transitions between two images", "vsvfi.Transition"),
    "translate": ("translates single images", "vsvfi.Translate"),
    "stylize": ("paints one image in the style of another", "vsvfi.Stylize"),
    "flow": ("finds flow and makes no images", "vsvfi.load"),
}


def check_task(spec: ModelSpec, task: Task) -> None:
    """Raise OptionError, with what to use instead, unless the model is for this task."""
    if spec.task != task:
        does, use = _TASKS[spec.task]
        raise OptionError(f"{spec.name} {does}; use {use}")


def choose(device: str | torch.device | None, size: tuple[int, int]) -> ModelSpec:
    """What model="auto" means on a device for frames of (width, height).

    The highest quality among models that interpolate, are installed, run on the device, may be used commercially, and
    on a CPU take at most SLOWEST_ON_CPU by their measured cost; `flow` where there is none.
    """
    # Installed first: to ask for devices may take torch, which `flow` does without.
    fitting = (spec for spec in _ranked() if store.is_installed(spec) and _suits(spec, device, size))
    return next(fitting, None) or plugins.spec("flow")


def why_chosen(device: str | torch.device | None, size: tuple[int, int]) -> str:
    """A sentence on what `choose` answers, and on what to install for a better answer."""
    chosen, where = choose(device, size), "this machine" if device is None else str(device)
    where += f" at {size[0]}x{size[1]}"
    if not _suits(chosen, device, size):
        return f"{chosen.name}: no model suits {where}, and {chosen.name} needs nothing"
    why = f"{chosen.name} is the best installed model for {where}"
    better = next(spec for spec in _ranked() if _suits(spec, device, size))
    if better.name != chosen.name:
        why += f"; {better.name} would be better but is not installed (vsvfi models install {better.name})"
    return why


def _ranked() -> list[ModelSpec]:
    return sorted(plugins.specs().values(), key=lambda spec: (-spec.quality, spec.cost, spec.name))


def _suits(spec: ModelSpec, device: str | torch.device | None, size: tuple[int, int]) -> bool:
    """Whether model="auto" would take a model if it were installed."""
    if not spec.commercial or spec.task != "interpolate":
        return False
    try:
        where = resolve_device(device, spec)
    except DeviceError:
        return False
    seconds = spec.cost * _FLOW_SECONDS * size[0] * size[1] / 1e6
    return where != "cpu" or seconds <= SLOWEST_ON_CPU or spec.cost <= 1


def _weights(spec: ModelSpec, given: Weights) -> Mapping[str, Tensor] | None:
    if spec.checkpoint is None:
        if given is not None:
            raise OptionError(f"{spec.name} has no weights; leave weights out")
        return None
    if given is None:
        store.require(spec)
        given = store.weights_file(spec)
    from .weights import formats

    if isinstance(given, (str, Path)):
        found = formats.read(Path(given))
    else:
        import torch

        found = formats.unwrapped(given, torch.Tensor, "weights")
    checkpoint = plugins.checkpoint(spec)
    return checkpoint.completed(found) if checkpoint else found


def _present() -> list[torch.device]:
    """The CPU, then the accelerators torch can use now."""
    import torch

    found = [torch.device("cpu")]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None:
        found += [torch.device(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def _precision_of(dtype: torch.dtype) -> str:
    names = ("fp32", "fp16", "bf16")
    return next((name for name in names if plugins.torch_dtype(name) == dtype), str(dtype))


def _kinds(spec: ModelSpec) -> str:
    return " and ".join(spec.devices)


def _names(devices: list[torch.device]) -> str:
    return ", ".join(map(str, devices))
