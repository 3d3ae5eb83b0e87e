"""What every filter asks of its clips and models before it builds anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import vapoursynth as vs

from . import loading, plugins
from .errors import ClipError, OptionError
from .model import Model

if TYPE_CHECKING:
    from .model import ModelSpec, Task
    from .options import Options

SMALLEST = 16
"""Pixels: below this no pyramid has anything to work with."""


def check_clip(clip: object, name: str = "clip") -> None:
    """Raise ClipError unless this is a clip that can be worked on.

    Args:
        clip: what a user gave.
        name: of the argument, as errors call it.
    """
    said = "the clip" if name == "clip" else name
    if not isinstance(clip, vs.VideoNode):
        raise ClipError(f"{name} must be a VapourSynth clip (vs.VideoNode), got {type(clip).__name__}")
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or clip.width == 0 or clip.height == 0:
        raise ClipError(f"{said} changes its format or size; convert it to one with core.resize first")
    if getattr(clip, "gpu_resident", False):
        raise ClipError(f"{said}'s frames are in GPU memory; download them to the host first")
    f = clip.format
    if f.sample_type == vs.INTEGER and not 8 <= f.bits_per_sample <= 16:
        raise ClipError(f"{f.name} is not supported; convert to 8 to 16 bit, half or float with core.resize first")
    if min(clip.width, clip.height) < SMALLEST:
        raise ClipError(f"{said} must be at least {SMALLEST}x{SMALLEST}, got {clip.width}x{clip.height}")


def model_for(
    model: str | Model, tasks: Sequence[Task], device: str | None, wanted: Options, size: tuple[int, int]
) -> Model:
    """The model that a user means, with the options of this filter in force.

    Args:
        model: a name, "auto" (for interpolation), or a Model.
        tasks: what the filter can use, first what it is for.
        device: None: the machine chooses.
        wanted: `precision`, `scale` and `model_options` are read.
        size: (width, height) of the frames.

    Raises:
        VsvfiError: whatever is wrong with it.
    """
    chosen = _chosen(model, tasks, device, wanted, size)
    if wanted.scale not in (None, 1.0) and chosen.spec.scales is None:
        raise OptionError(f"{chosen.spec.name} has no scale; leave scale out")
    scale = {} if wanted.scale is None or chosen.spec.scales is None else {"scale": wanted.scale}
    return chosen.configured(**{**scale, **wanted.model_options})


def _chosen(
    model: str | Model, tasks: Sequence[Task], device: str | None, wanted: Options, size: tuple[int, int]
) -> Model:
    if isinstance(model, Model):
        _check_task(model.spec, tasks)
        return model
    if not isinstance(model, str):
        raise OptionError(f"model must be a name or a Model from vsvfi.load, got {model!r}")
    spec = loading.choose(device, size) if model == "auto" and "interpolate" in tasks else plugins.spec(model)
    _check_task(spec, tasks)
    where = loading.resolve_device(device, spec)
    return loading.shared(spec, where, loading.resolve_precision(wanted.precision, spec, where))


def _check_task(spec: ModelSpec, tasks: Sequence[Task]) -> None:
    if spec.task not in tasks:
        loading.check_task(spec, tasks[0])
