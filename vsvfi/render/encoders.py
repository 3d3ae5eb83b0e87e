"""The encoders that `--encoder` names: rows of a table, or the command line of x264 or x265. Plain data and checks.

`encode.py` runs those of the table in this process, `external.py` the others.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from ..errors import OptionError

_SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One of libavcodec's encoders.

    Attributes:
        name: libavcodec's.
        crf: quality when none is asked for; None: it is lossless and has no such number.
        worst: the largest crf.
        presets: what `preset` may be, fastest first.
        codec: the standard it follows, in libavcodec's words.
        params: libavcodec's option for options in the library's own words, as name=value:name=value.
        quiet: those of them that keep the library from writing to the terminal.
    """

    name: str
    crf: float | None = None
    worst: int = 51
    presets: tuple[str, ...] = ()
    codec: str = ""
    params: str = ""
    quiet: tuple[str, ...] = ()

    def options(self, crf: float | None, preset: str | None, own: Mapping[str, str] | None = None) -> dict[str, str]:
        """Its libavcodec options; `own`: more, in the library's own words.

        Raises:
            OptionError: crf or preset is not one of its own.
        """
        if crf is not None and self.crf is None:
            raise OptionError(f"{self.name} is lossless and has no crf")
        if crf is not None and not 0 <= crf <= self.worst:
            raise OptionError(f"crf must be from 0 to {self.worst} for {self.name}, got {crf:g}")
        if preset is not None and preset not in self.presets:
            known = f"one of {', '.join(self.presets)}" if self.presets else "left out"
            raise OptionError(f"preset must be {known} for {self.name}, got {preset!r}")
        quality = self.crf if crf is None else crf
        params = [*self.quiet, *(f"{name}={value}" for name, value in (own or {}).items())]
        chosen = {self.params: ":".join(params)} if params else {}
        if quality is not None:
            chosen["crf"] = f"{quality:g}"
        if preset is not None:
            chosen["preset"] = preset
        return chosen


# The crf of each is where its picture is hard to tell from the source; lower for those that need it lower.
ENCODERS = {
    row.name: row
    for row in (
        Encoder(name="libx264", crf=18, presets=_SPEEDS, codec="h264", params="x264-params"),
        Encoder(
            name="libx265", crf=20, presets=_SPEEDS, codec="hevc", params="x265-params", quiet=("log-level=error",)
        ),
        Encoder(
            name="libsvtav1",
            crf=28,
            worst=63,
            presets=tuple(str(n) for n in range(13, -1, -1)),
            codec="av1",
            params="svtav1-params",
        ),
        Encoder(name="ffv1"),
    )
}


@dataclass(frozen=True)
class Command:
    """A program that reads y4m from its stdin and writes a raw stream.

    Attributes:
        argv: program and the user's own arguments.
        codec: "h264" or "hevc": what it writes.
    """

    argv: tuple[str, ...]
    codec: str

    @property
    def program(self) -> str:
        """Its name without folder and .exe."""
        return PurePath(self.argv[0]).stem


_PROGRAMS = {"x264": "h264", "x265": "hevc"}
_OURS = {"-o", "--output", "--y4m", "--demuxer", "--frames", "--input", "-"}


def parse_encoder(value: str, crf: float | None, preset: str | None) -> Encoder | Command:
    """The encoder that `value` means; a command line is split as a shell would, and never given to one.

    Raises:
        OptionError: there is no such encoder or program, or it takes no such crf or preset.
    """
    if value in ENCODERS:
        ENCODERS[value].options(crf, preset)
        return ENCODERS[value]
    try:
        argv = tuple(shlex.split(value))
    except ValueError as error:
        raise OptionError(f"encoder: cannot read the command line {value!r}: {error}") from error
    codec = next((c for name, c in _PROGRAMS.items() if argv and PurePath(argv[0]).stem.lower().startswith(name)), None)
    if codec is None:
        raise OptionError(
            f"encoder must be {', '.join(ENCODERS)}, or a command line of x264 or x265 "
            f"such as 'x265 --crf 20 --preset slow', got {value!r}"
        )
    if crf is not None or preset is not None:
        raise OptionError(f"crf and preset belong into the command line here: --encoder '{value} --crf ...'")
    taken = sorted(_OURS & {word.split("=")[0] for word in argv[1:]})
    if taken:
        raise OptionError(f"encoder: leave {', '.join(taken)} out of the command line; input and output are ours")
    if shutil.which(argv[0]) is None:
        raise OptionError(
            f"encoder: no program {argv[0]} was found; install it, or use lib{argv[0]} for the built-in one"
        )
    return Command(argv, codec)
