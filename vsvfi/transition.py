"""vsvfi.Transition, Translate and Stylize: clips of which a model makes every frame. studio.py runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import vapoursynth as vs

from . import executors, graph, intake
from . import options as opt
from .errors import ClipError, OptionError, VsvfiError
from .frames import host
from .model import Model, ModelSpec, Task
from .properties import Durations
from .studio import Amounts, Fade, Studio, StudioPipeline

Curve = Literal["linear", "eased"]

SIZE = 512
"""Side of the squares that models of faces and animals were trained on."""


def Transition(
    a: vs.VideoNode,
    b: vs.VideoNode,
    model: str | Model = "sdl-dog2dog-scale",
    length: int = 24,
    *,
    curve: Curve = "linear",
    size: int = SIZE,
    device: str | Sequence[str] | None = None,
    precision: opt.Precision = "auto",
    engine: opt.Engine = "auto",
    vram: int | str | None = None,
    dither: opt.Dither = "ordered",
    options: Mapping[str, Any] | None = None,
) -> vs.VideoNode:
    """Two clips joined by frames in which the last one of `a` becomes the first one of `b`.

    Both clips come back as they are, with `length` frames between them, each made at its own t.

    Args:
        a: constant format and size, from 16x16; YUV, RGB or GRAY; 8 to 16 bit, half or float.
        b: of the same format, size and rate.
        model: of the task "transition", or one that interpolates ("flow", "sdl-vfi-psnr" ...), or a Model.
        length: frames in between, from 1.
        curve: t of the k-th of them: "linear": k / (length + 1); "eased": slow at both ends, 3 x^2 - 2 x^3 of that.
        size: side of the squares that models with squares are given, see `vsvfi models show NAME`; the result is
            brought back to the clips' size. Others take frames as they are.
        device: see Interpolate.
        precision: see Interpolate.
        engine: see Interpolate.
        vram: see Interpolate.
        dither: see Interpolate.
        options: the model's own options by name.

    Returns:
        A clip of len(a) + length + len(b) frames.

    Raises:
        vs.Error: "Transition: ...", saying what was wrong, what was expected and what to do.
    """
    try:
        for name, clip in (("a", a), ("b", b)):
            intake.check_clip(clip, name)
        _check_alike(a, b)
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise OptionError(f"length must be a whole number of frames, at least 1, got {length!r}")
        opt.choice("curve", curve, get_args(Curve))
        wanted = _options(engine, precision, vram, dither, options)
        lanes = _lanes(a, model, ["transition", "interpolate"], device, wanted, size, moving=False)
    except VsvfiError as error:
        raise vs.Error(f"Transition: {error}") from error
    ts = [_curved(Fraction(k + 1, length + 1), curve) for k in range(length)]
    window = [end.std.Loop(length) for end in (a[-1], b[0])]
    fps = graph.rate(a)
    pipeline = StudioPipeline("Transition", lanes, Fade(ts, fps), host.plane_format(a), wanted)
    made = graph.assemble(window, pipeline, Durations(fps))
    made = made.std.RemoveFrameProps("_AbsoluteTime").std.SetFrameProps(VsvfiSource=a.num_frames - 1)
    return a + made + b


def Translate(
    clip: vs.VideoNode,
    model: str | Model = "sdl-aging-scale",
    amount: float | Callable[[int], float] = 0.5,
    *,
    size: int = SIZE,
    device: str | Sequence[str] | None = None,
    precision: opt.Precision = "auto",
    engine: opt.Engine = "auto",
    vram: int | str | None = None,
    dither: opt.Dither = "ordered",
    options: Mapping[str, Any] | None = None,
) -> vs.VideoNode:
    """Every frame translated by some amount: a face aged, a person drawn as a cartoon.

    Args:
        clip: as for Transition.
        model: of the task "translate", or a Model.
        amount: 0 to 1, and beyond where the model takes it (aging: from -1); or a function of the frame's number,
            asked once for each. At 0 too the frame goes through the network.
        size: see Transition.
        device: see Interpolate.
        precision: see Interpolate.
        engine: see Interpolate.
        vram: see Interpolate.
        dither: see Interpolate.
        options: the model's own options by name.

    Returns:
        A clip of the same length, format and size.

    Raises:
        vs.Error: "Translate: ...", saying what was wrong, what was expected and what to do.
    """
    try:
        intake.check_clip(clip)
        wanted = _options(engine, precision, vram, dither, options)
        lanes = _lanes(clip, model, ["translate"], device, wanted, size, moving=True)
        timeline = _amounts(clip, amount, lanes[0].model.spec)
    except VsvfiError as error:
        raise vs.Error(f"Translate: {error}") from error
    pipeline = StudioPipeline("Translate", lanes, timeline, host.plane_format(clip), wanted)
    return graph.assemble([clip, clip], pipeline, Durations(graph.rate(clip)))


def Stylize(
    clip: vs.VideoNode,
    style: vs.VideoNode | str | Path,
    amount: float | Callable[[int], float] = 1.0,
    model: str | Model = "sdl-style-transfer-arbitrary",
    *,
    device: str | Sequence[str] | None = None,
    precision: opt.Precision = "auto",
    engine: opt.Engine = "auto",
    vram: int | str | None = None,
    dither: opt.Dither = "ordered",
    options: Mapping[str, Any] | None = None,
) -> vs.VideoNode:
    """Every frame in the style of a picture.

    Args:
        clip: as for Transition.
        style: a picture's path; or a clip: its frame n for frame n where it is as long, else its first frame for all.
            It is brought to the clip's size and format.
        amount: 0 to 1; or a function of the frame's number, asked once for each.
        model: of the task "stylize", or a Model.
        device: see Interpolate.
        precision: see Interpolate.
        engine: see Interpolate.
        vram: see Interpolate.
        dither: see Interpolate.
        options: the model's own options by name.

    Returns:
        A clip of the same length, format and size.

    Raises:
        vs.Error: "Stylize: ...", saying what was wrong, what was expected and what to do.
    """
    try:
        intake.check_clip(clip)
        wanted = _options(engine, precision, vram, dither, options)
        other = _style(style, clip)
        moving = other.num_frames == clip.num_frames and clip.num_frames > 1
        lanes = _lanes(clip, model, ["stylize"], device, wanted, None, moving=moving)
        timeline = _amounts(clip, amount, lanes[0].model.spec)
    except VsvfiError as error:
        raise vs.Error(f"Stylize: {error}") from error
    second = other if moving else other[0].std.Loop(clip.num_frames)
    pipeline = StudioPipeline("Stylize", lanes, timeline, host.plane_format(clip), wanted)
    return graph.assemble([clip, second], pipeline, Durations(graph.rate(clip)))


def _options(
    engine: opt.Engine,
    precision: opt.Precision,
    vram: int | str | None,
    dither: opt.Dither,
    options: Mapping[str, Any] | None,
) -> opt.Options:
    return opt.Options(
        scene_change=False, static="off", engine=engine, precision=precision, vram=vram, dither=dither,
        model_options={} if options is None else options,
    )  # fmt: skip


def _lanes(
    clip: vs.VideoNode,
    model: str | Model,
    tasks: Sequence[Task],
    device: str | Sequence[str] | None,
    wanted: opt.Options,
    size: int | None,
    *,
    moving: bool,
) -> list[Studio]:
    lanes = []
    for name in opt.parse_devices(device):
        chosen = intake.model_for(model, tasks, name, wanted, (clip.width, clip.height))
        side = None if size is None else _side(chosen.spec, size)
        chosen = executors.run_with(chosen, wanted.engine)
        lanes.append(Studio(chosen, host.plane_format(clip), wanted, vs.core.num_threads, side, moving))
    return lanes


def _side(spec: ModelSpec, size: int) -> int | None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise OptionError(f"size must be a whole number of pixels, got {size!r}")
    if spec.square_sides is None:
        if size != SIZE:
            raise OptionError(f"{spec.name} takes frames of any size; leave size out")
        return None
    low, high = spec.square_sides
    if not low <= size <= high or size % spec.multiple:
        wanted = f"{low}" if low == high else f"a multiple of {spec.multiple} from {low} to {high}"
        raise OptionError(f"size must be {wanted} for {spec.name}, got {size}")
    return size


def _amounts(clip: vs.VideoNode, amount: float | Callable[[int], float], spec: ModelSpec) -> Amounts:
    low, high = spec.timestep_range
    wanted = f"from {low:g} to {high:g} for {spec.name}"
    if not callable(amount):
        fits = not isinstance(amount, bool) and isinstance(amount, (int, float, Fraction))
        if not fits or not spec.admits(float(amount)):
            raise OptionError(f"amount must be {wanted}, or a function of the frame's number, got {amount!r}")
        return Amounts(clip.num_frames, graph.rate(clip), lambda n: amount, spec.admits, wanted)
    return Amounts(clip.num_frames, graph.rate(clip), amount, spec.admits, wanted)


def _check_alike(a: vs.VideoNode, b: vs.VideoNode) -> None:
    for what, first, second in (
        ("format", a.format.name, b.format.name),
        ("size", f"{a.width}x{a.height}", f"{b.width}x{b.height}"),
        ("rate", f"{a.fps_num}/{a.fps_den}", f"{b.fps_num}/{b.fps_den}"),
    ):
        if first != second:
            raise ClipError(f"a and b must have one {what}, got {first} and {second}; convert one of them first")


def _curved(x: Fraction, curve: Curve) -> Fraction:
    return x if curve == "linear" else x * x * (3 - 2 * x)


def _style(style: object, clip: vs.VideoNode) -> vs.VideoNode:
    """The style in the clip's size and format."""
    if isinstance(style, vs.VideoNode):
        if style.format is None or style.width == 0:
            raise ClipError("style changes its format or size; convert it to one with core.resize first")
        return _converted(style, clip)
    if not isinstance(style, (str, Path)):
        raise OptionError(f"style must be a clip or the path of a picture, got {style!r}")
    from .picture import eight_bit, read

    picture = eight_bit(read(Path(style)))
    return _converted(graph.still([picture[..., c] for c in range(3)], vs.RGB24), clip)


def _converted(style: vs.VideoNode, clip: vs.VideoNode) -> vs.VideoNode:
    matrix = {}
    if clip.format.color_family == vs.YUV and style.format.color_family != vs.YUV:
        matrix = {"matrix": 1 if clip.height > 576 else 6}
    if style.format.color_family == vs.YUV and clip.format.color_family != vs.YUV:
        matrix = {"matrix_in": 1 if style.height > 576 else 6}
    return style.resize.Bilinear(clip.width, clip.height, format=clip.format.id, **matrix)
