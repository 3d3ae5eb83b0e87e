"""Ways to double a clip's rate that can be measured: every model, and the baselines people use without one.

"repeat" and "blend" are core filters; "mvtools" is MVTools FlowFPS where vapoursynth-mvtools is installed.
"""

from __future__ import annotations

from typing import cast

import vapoursynth as vs

from ..errors import OptionError
from ..options import Precision

BASELINES = ("repeat", "blend", "mvtools")
"""Names that are not models; everything else is given to `vsvfi.Interpolate`."""


def double(
    clip: vs.VideoNode, method: str, *, device: str | None = None, precision: str = "auto", scene_change: bool = True
) -> vs.VideoNode:
    """The clip at twice its rate: frame 2n is frame n, frame 2n + 1 lies half-way to frame n + 1.

    Args:
        clip: constant format and size.
        method: one of `BASELINES`, or a model's name.
        device: for models; None: the filter's choice.
        precision: for models.
        scene_change: for models; the baselines know no cuts.

    Returns:
        Twice as many frames in the same format.

    Raises:
        OptionError: mvtools is asked for and is not installed, or cannot read the format.
    """
    if method == "repeat":
        return vs.core.std.Interleave([clip, clip])
    if method == "blend":
        return vs.core.std.Interleave([clip, clip.std.Merge(_next(clip), 0.5)])
    if method == "mvtools":
        return _flow_fps(clip)
    from ..interpolate import Interpolate

    # What is not a precision is refused there, with the filter's own message.
    return Interpolate(clip, method, 2, scene_change, device=device, precision=cast("Precision", precision))


def has_mvtools() -> bool:
    """Whether the MVTools plugin is loaded."""
    return hasattr(vs.core, "mv")


def split(names: str) -> list[str]:
    """A comma-separated list of methods as a list, each once, in order.

    Raises:
        OptionError: nothing is named.
    """
    found = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not found:
        raise OptionError("no model named; give one or more, e.g. --models flow,blend")
    return found


def _next(clip: vs.VideoNode) -> vs.VideoNode:
    """The clip one frame early; the last frame, which has no successor, is held."""
    return clip.std.Trim(first=1) + clip[-1] if clip.num_frames > 1 else clip


def _flow_fps(clip: vs.VideoNode) -> vs.VideoNode:
    """FlowFPS at settings that trade speed for quality: half-pel, 16x16 blocks refined to 8x8, then 4x4."""
    if not has_mvtools():
        raise OptionError("mvtools is not installed; run: pip install vapoursynth-mvtools")
    format = clip.format
    if format.sample_type != vs.INTEGER or format.color_family == vs.RGB:
        raise OptionError(f"mvtools reads integer YUV and GRAY only, got {format.name}")
    if not clip.fps:
        clip = clip.std.AssumeFPS(fpsnum=24)  # only frame counts matter here, not the rate
    mv = vs.core.mv
    coarse = mv.Super(clip, pel=2, sharp=2, rfilter=4)
    fine = mv.Super(clip, pel=2, sharp=2, rfilter=4, levels=1)
    backward, forward = (_vectors(coarse, fine, isb=isb, chroma=format.num_planes == 3) for isb in (True, False))
    num, den = clip.fps_num * 2, clip.fps_den
    return mv.FlowFPS(clip, coarse, backward, forward, num=num, den=den, mask=2)


def _vectors(coarse: vs.VideoNode, fine: vs.VideoNode, *, isb: bool, chroma: bool) -> vs.VideoNode:
    mv = vs.core.mv
    vectors = mv.Analyse(
        coarse,
        isb=isb,
        chroma=chroma,
        blksize=16,
        overlap=8,
        search=3,
        searchparam=4,
        truemotion=True,
        badsad=10000,
        badrange=24,
    )
    for size in (8, 4):
        vectors = mv.Recalculate(
            fine,
            vectors,
            chroma=chroma,
            blksize=size,
            overlap=size // 2,
            search=3,
            searchparam=2,
            thsad=100,
            truemotion=True,
        )
    return vectors
