"""vsvfi.Interpolate: the filter as users call it. Checks what can be known at the call, then builds the graph."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import vapoursynth as vs

from . import executors, graph, intake
from . import options as opt
from .errors import OptionError, VsvfiError
from .frames import host
from .lane import Lane
from .model import Model
from .pipeline import Pipeline
from .properties import Durations
from .timeline import Timed, Timeline, Uniform, read_timecodes

log = logging.getLogger("vsvfi")

TWICE = Fraction(2)
"""The default factor: one object, so that a factor that was typed can be told from it."""


def Interpolate(
    clip: vs.VideoNode,
    model: str | Model = "auto",
    factor: opt.Rational = TWICE,
    scene_change: opt.SceneChange = True,
    *,
    fps: opt.Rational | None = None,
    device: str | Sequence[str] | None = None,
    precision: opt.Precision = "auto",
    scale: float | None = None,
    tile: int | tuple[int, int] | None = None,
    overlap: int = opt.OVERLAP,
    engine: opt.Engine = "auto",
    vram: int | str | None = None,
    static: opt.Static = "hold",
    protect: bool = False,
    on_scene_change: opt.OnSceneChange = "hold",
    dither: opt.Dither = "ordered",
    show: opt.Show | None = None,
    timecodes: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> vs.VideoNode:
    """Raise a clip's frame rate with frames made in between.

    Output frame n sits at source position n / factor, exactly. Where that is a source frame, the source frame itself
    comes back. The output has round(num_frames * factor) frames (halves up); what lies beyond the last source frame
    holds it. Format and size stay as they are.

    Args:
        clip: constant format and size, from 16x16; YUV, RGB or GRAY; 8 to 16 bit, half or float; progressive.
        model: a name from `vsvfi models list`; "auto": the best installed one for the device; or a Model from
            `vsvfi.load`.
        factor: how many times the rate, at least 1: 2, 2.5, Fraction(5, 2), "60000/24000". Floats are read as the
            nearest fraction with a denominator up to 1001. Not together with `fps`.
        scene_change: True: our detector; a number between 0 and 1: its threshold (lower finds more cuts); "props":
            `_SceneChangeNext` and `_SceneChangePrev`; a list or set of first frames of new scenes; a function
            (n, frame0, frame1) -> bool called once per source pair; False: never.
        fps: the output rate instead of a factor: 60, "60000/1001"; floats near an NTSC rate (23.976) are that rate.
        device: "cpu", "cuda", "cuda:1"; several in a list share the work; None: the first CUDA device if the model
            runs there, else the CPU.
        precision: "fp32", "fp16", "bf16"; "auto": what the model's measurements recommend on the device.
        scale: resolution at which motion is looked for, relative to the model's own; for models that have a scale.
            None: as the model is, 1 unless it goes by the size of the frames.
        tile: work in tiles of this size, (width, height) or one number for both, to bound memory.
        overlap: pixels that tiles share; blended linearly.
        engine: how a network is run: "eager": each operation launched as it comes; "graph": launches recorded once
            and replayed (CUDA); "compile": torch.compile, a minute or more at first; "auto": on CUDA the faster of
            the first two, measured on the first frames, elsewhere "eager".
        vram: memory this process may take on each CUDA device, in bytes, "6G" or "50%"; what needs more is made in
            tiles, and caches keep to a sixteenth each. On a CPU it bounds the caches alone. None: VSVFI_VRAM, else all.
        static: "hold": where neighbours are equal, the earlier comes back and nothing is computed; a number: equal
            to within this mean difference in 8-bit code values; "off": never.
        protect: keep what stands still on top of motion (subtitles, logos) from being warped.
        on_scene_change: between two scenes show the earlier frame ("hold"), the later ("next"), the nearer in time
            ("nearest"; the earlier of two equally near), or mix them ("blend").
        dither: of integer results converted from a network's RGB: "ordered" (fixed in place) or "none" (rounded).
        show: instead of the picture, "flow" (Middlebury colours), "mask" or "occlusion" (white: earlier
            frame, black: later); "scene": the picture with a graph of scene scores.
        timecodes: timecode file v2 of a variable-rate clip; needed for `fps` there.
        options: the model's own options by name, see `vsvfi models show NAME`.

    Returns:
        A clip of the same format and size. Frames carry VsvfiSource, VsvfiTimestep, VsvfiScene, VsvfiSceneScore.

    Raises:
        vs.Error: "Interpolate: ...", saying what was wrong, what was expected and what to do.
    """
    try:
        intake.check_clip(clip)
        wanted = opt.Options(
            scene_change=scene_change, on_scene_change=on_scene_change, static=static, protect=protect, dither=dither,
            show=show, scale=scale, tile=opt.parse_tile(tile), overlap=overlap, engine=engine, precision=precision,
            vram=vram,            model_options={} if options is None else options,
        )  # fmt: skip
        times = None if timecodes is None else _times(timecodes, clip)
        timeline = _timeline(clip, factor, fps, times)
        lanes = [_lane(clip, model, name, wanted) for name in opt.parse_devices(device)]
    except VsvfiError as error:
        raise vs.Error(f"Interpolate: {error}") from error
    if clip.num_frames < 2:
        log.warning("Interpolate: the clip has one frame, which has no neighbour: it is held")
    ends = None if times is None else [*times, times[-1] + (times[-1] - times[-2])]
    return graph.build(
        clip, Pipeline(lanes, timeline, host.plane_format(clip), wanted), Durations(graph.rate(clip), ends)
    )


def _times(timecodes: str | Path, clip: vs.VideoNode) -> list[Fraction]:
    opt.check_path("timecodes", timecodes)
    times = read_timecodes(timecodes)
    if len(times) not in (clip.num_frames, clip.num_frames + 1):
        raise OptionError(f"timecodes: {str(timecodes)!r} has {len(times)} times, the clip {clip.num_frames} frames")
    if clip.num_frames < 2:
        raise OptionError("timecodes need a clip of at least 2 frames")
    return times[: clip.num_frames]


def _timeline(
    clip: vs.VideoNode, factor: opt.Rational, fps: opt.Rational | None, times: list[Fraction] | None
) -> Timeline:
    source = graph.rate(clip)
    if fps is None:
        # Timecodes say that the rate varies, whatever the clip is tagged with.
        return Uniform(clip.num_frames, opt.parse_factor(factor), source if times is None else None)
    if factor is not TWICE:
        raise OptionError("factor and fps exclude each other; give one")
    target = opt.parse_fps(fps)
    if times is not None:
        return Timed(times, target)
    if source is None:
        raise OptionError(
            "fps needs a clip of constant rate, and this one's varies (fps 0); "
            "give timecodes= (a v2 file) or use factor="
        )
    if target < source:
        raise OptionError(f"fps must be at least the clip's {source} ({float(source):.3f}), got {fps}")
    return Uniform(clip.num_frames, target / source, source)


def _lane(clip: vs.VideoNode, model: str | Model, device: str | None, wanted: opt.Options) -> Lane:
    chosen = intake.model_for(model, ["interpolate"], device, wanted, (clip.width, clip.height))
    if wanted.show not in (None, "scene") and type(chosen).explain is Model.explain:
        raise OptionError(f"{chosen.spec.name} has no flow or mask to show; show must be None or 'scene'")
    chosen = executors.run_with(chosen, wanted.engine)
    if wanted.tile is not None and (wanted.tile[0] < clip.width or wanted.tile[1] < clip.height):
        from .tiling import Tiled  # and with it torch: here only, since flow on the CPU does without

        chosen = Tiled(chosen, wanted.tile, wanted.overlap)
    return Lane(chosen, host.plane_format(clip), wanted, vs.core.num_threads)
