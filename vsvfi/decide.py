"""What is to be done between two source frames: relate them, or hold because of a cut or a still.

How different frames look is `scene.py`'s business; which signal the user trusts is decided here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from . import scene
from .cache import Cache
from .frames import host
from .frames.planes import ColorInfo

if TYPE_CHECKING:
    import vapoursynth as vs

    from .frames.planes import PlaneFormat
    from .options import Options

type Window = Mapping[int, vs.VideoFrame | None]
"""Source frames by their offset from the pair's first (0); None beyond the clip's ends."""

_RAW = ColorInfo(matrix=2, full_range=False, chroma_location=0)  # decisions look at raw samples: any will do
_REMEMBERED = 4 << 20  # bytes of signatures and decisions: those of more than a hundred frames


@dataclass(frozen=True, slots=True)
class Decision:
    """What lies between two source frames.

    Attributes:
        kind: "motion": interpolate; "cut": different scenes; "still": the same picture.
        score: the detector's score in [0, 1]; None where it was not asked.
    """

    kind: Literal["motion", "cut", "still"]
    score: float | None = None


class Decider:
    """Decides pairs for one filter instance.

    Args:
        options: `scene_change` and `static` are read.
        format: of the clip.
    """

    def __init__(self, options: Options, format: PlaneFormat) -> None:
        self.signal = options.scene_change
        self.format = format
        self.static = {"hold": 0.0, "off": None}.get(options.static, options.static)  # type: ignore[arg-type]
        self.detects = self.signal is True or isinstance(self.signal, float)
        self.threshold = self.signal if isinstance(self.signal, float) else scene.DEFAULT_THRESHOLD
        self._remembered = Cache(_REMEMBERED)

    @property
    def offsets(self) -> tuple[int, int]:
        """First and last offset of the window that deciding a pair needs."""
        return (-1, 2) if self.detects else (0, 1)

    def decide(self, source: int, window: Window, shift: int = 0) -> Decision:
        """The decision for source frames `source` and `source + 1`.

        Args:
            source: frame number of the pair's first frame.
            window: must hold it at offset `shift`, and what `offsets` says around it.
            shift: where the pair lies in the window.
        """
        return self._remembered.get_or_compute(("pair", source), lambda: self._decide(source, window, shift))

    def _decide(self, source: int, window: Window, shift: int) -> Decision:
        first, second = window[shift], window[shift + 1]
        assert first is not None, "the first frame of a pair always exists"
        if second is None:
            return Decision("still")
        if self._is_still(first, second):
            return Decision("still", 0.0 if self.detects else None)
        if self.detects:
            before, after = (self._maybe_signature(source + k, window[shift + k]) for k in (-1, 2))
            pair = self._signature(source, first), self._signature(source + 1, second)
            verdict = scene.judge(before, *pair, after, self.threshold)
            return Decision("cut" if verdict.cut else "motion", verdict.score)
        return Decision("cut" if self._signalled(source, first, second) else "motion")

    def _signalled(self, source: int, first: vs.VideoFrame, second: vs.VideoFrame) -> bool:
        signal = self.signal
        if signal == "props":
            return bool(first.props.get("_SceneChangeNext", 0)) or bool(second.props.get("_SceneChangePrev", 0))
        if callable(signal):
            return bool(signal(source, first, second))
        if isinstance(signal, Collection):
            return source + 1 in signal
        return False

    def _is_still(self, first: vs.VideoFrame, second: vs.VideoFrame) -> bool:
        if self.static is None:
            return False
        return scene.is_still(self._arrays(first), self._arrays(second), self.format.peak, self.static)

    def _maybe_signature(self, source: int, frame: vs.VideoFrame | None) -> scene.Signature | None:
        return None if frame is None else self._signature(source, frame)

    def _signature(self, source: int, frame: vs.VideoFrame) -> scene.Signature:
        return self._remembered.get_or_compute(
            ("signature", source), lambda: scene.signature(self._arrays(frame), self.format.peak, self.format.family)
        )

    def _arrays(self, frame: vs.VideoFrame) -> list[scene.Plane]:
        return list(host.view(frame, self.format, _RAW).arrays)
