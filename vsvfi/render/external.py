"""Encoding by another program: frames as y4m into its stdin, its bare stream put into the container afterwards."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from ..errors import RenderError
from .mux import RAW, Muxer
from .picture import Picture, to_libav
from .timing import clock

if TYPE_CHECKING:
    import vapoursynth as vs

    from .encoders import Command
    from .streams import Span

_SUFFIX = {"h264": ".264", "hevc": ".hevc"}
_MATRIX = ("", "bt709", "", "", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "bt2020c")
_PRIMARIES = ("", "bt709", "", "", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte428",
              "smpte431", "smpte432")  # fmt: skip
_TRANSFER = ("", "bt709", "", "", "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "log100", "log316",
             "iec61966-2-4", "bt1361e", "iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084", "smpte428",
             "arib-std-b67")  # fmt: skip


def arguments(command: Command, picture: Picture) -> list[str]:
    """What y4m cannot say, in the program's words; what the user said himself stays his."""
    tags = picture.tags
    said = {
        "--colorprim": _name(_PRIMARIES, tags.primaries),
        "--transfer": _name(_TRANSFER, tags.transfer),
        "--chromaloc": str(tags.location - 1) if tags.location else "",
        "--sar": f"{tags.aspect.numerator}:{tags.aspect.denominator}",
        "--output-depth": str(picture.bits),
    }
    matrix = _name(_MATRIX, tags.matrix)
    if command.codec == "hevc":
        said |= {"--colormatrix": matrix, "--range": ("", "limited", "full")[tags.range]}
    else:
        # x264 converts to 4:2:0 of limited range unless both sides are named.
        range_ = ("", "tv", "pc")[tags.range]
        csp = {"yuv422p": "i422", "yuv444p": "i444", "gray": "i400"}.get(re.sub(r"\d+le$", "", picture.pixels), "i420")
        said |= {"--colormatrix": matrix, "--range": range_, "--input-range": range_, "--output-csp": csp}
    if picture.hdr is not None:
        said |= {f"--{name}": value for name, value in picture.hdr.arguments(command.codec).items()}
    given = {word.split("=")[0] for word in command.argv}
    return [word for option, value in said.items() if value and option not in given for word in (option, value)]


def _name(names: tuple[str, ...], code: int) -> str:
    return names[code] if code < len(names) else ""


class ExternalEncoding:
    """One file being encoded by a program; the same calls as `encode.Encoding`."""

    def __init__(
        self, path: Path, source: Path, command: Command, picture: Picture, rate: Fraction, span: Span
    ) -> None:
        suffix = path.suffix.lower()
        if RAW.get(suffix, command.codec) != command.codec:
            raise RenderError(f"{command.program} makes {command.codec}, which a {suffix} file does not hold")
        self.notes: list[str] = []
        self.raw = path if suffix in RAW else path.with_suffix(_SUFFIX[command.codec])
        self._path, self._source, self._span, self._command = path, source, span, command
        self._picture, self._rate = picture, rate
        self._times: list[tuple[Fraction, Fraction]] = []
        if self.raw != path:
            self._check_container()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the program
        self._process = self._start()
        self._pipe, self._stream = self._open_pipe()

    def _check_container(self) -> None:
        """Find out now, not after hours of encoding, that the container does not hold this."""
        muxer = Muxer(self._path, self._source)
        try:
            if self._command.codec not in muxer.output.supported_codecs:
                raise RenderError(f"{self._path.suffix} files cannot hold {self._command.codec}; use .mkv")
            self.notes = muxer.plan(self._span)
        finally:
            muxer.close(complete=False)
            self._path.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        stdin = ["--y4m", "-"] if self._command.codec == "hevc" else ["--demuxer", "y4m", "-"]
        argv = [*self._command.argv, *arguments(self._command, self._picture), *stdin, "-o", str(self.raw)]
        # In a group of its own, so that Ctrl-C reaches only us and the program can finish what it was given.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, **apart)
        except OSError as error:
            raise RenderError(f"cannot start {argv[0]}: {error}") from error

    def _open_pipe(self) -> tuple[Any, Any]:
        # y4m deeper than 8 bits is an extension of the format, which libav writes only when told so.
        pipe: Any = av.open(self._process.stdin, "w", format="yuv4mpegpipe", options={"strict": "-1"})
        stream = pipe.add_stream("wrapped_avframe", rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = self._picture.width, self._picture.height, self._picture.pixels
        return pipe, stream

    def write(self, frame: vs.VideoFrame, start: Fraction, duration: Fraction) -> None:
        """Hand a frame to the program; it is shown from `start` for `duration` seconds."""
        picture = to_libav(frame, self._picture)
        picture.pts = len(self._times)
        picture.time_base = 1 / self._rate
        try:
            self._pipe.mux(self._stream.encode(picture))
        except (OSError, ValueError) as error:
            self._process.wait()
            raise RenderError(self._said(f"{self._command.program} stopped")) from error
        self._times.append((start, duration))

    def close(self, *, complete: bool) -> None:
        """Let the program finish; where all went well, put its stream into the container."""
        try:
            self._finish(complete)
        finally:
            self._log.close()

    def _finish(self, complete: bool) -> None:
        with contextlib.suppress(OSError, ValueError):  # a program that is gone already said why
            self._pipe.close()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None, "it was started with a pipe"
            self._process.stdin.close()
        code = self._process.wait()
        if not complete:
            return
        if code != 0:
            raise RenderError(self._said(f"{self._command.program} failed with exit code {code}"))
        if self.raw != self._path:
            self._wrap()
            self.raw.unlink()

    def _said(self, what: str) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").replace("\r", "\n").split("\n")
        last = [line.strip() for line in lines if line.strip()][-3:]
        return f"{what}; it said: {' / '.join(last)}" if last else what

    def _wrap(self) -> None:
        """Mux the bare stream: packets get the times of the frames they show."""
        shown = display_order(self.raw, self._command.codec)
        if len(shown) != len(self._times):
            raise RenderError(f"{self._command.program} made {len(shown)} frames of {len(self._times)}")
        tick = clock([*(start for start, _ in self._times), self._times[-1][0] + self._times[-1][1]])
        muxer = Muxer(self._path, self._source)
        with av.open(str(self.raw), format=self._command.codec) as raw:
            stream = muxer.output.add_stream_from_template(raw.streams.video[0], opaque=True)
            muxer.copy_others(stream, self._span)
            packets = (packet for packet in raw.demux(video=0) if packet.size)
            muxer.write(_timed(packets, stream, shown, self._times, tick))
        muxer.close(complete=True)


def display_order(path: Path, codec: str) -> list[int]:
    """For every packet of a bare stream, in its order, the number of the frame that it shows.

    Bare streams hold no time stamps, and only a decoder knows their order for certain.
    """
    shown: dict[int, int] = {}
    with av.open(str(path), format=codec) as raw:
        stream = raw.streams.video[0]
        stream.thread_type = "AUTO"
        count = 0
        for packet in raw.demux(stream):
            if packet.size:
                packet.pts = packet.dts = count
                count += 1
            for frame in packet.decode():
                assert frame.pts is not None, "every packet was numbered"
                shown[frame.pts] = len(shown)
    return [shown[n] for n in sorted(shown)]


def _timed(
    packets: Iterator[Any], stream: Any, shown: list[int], times: list[tuple[Fraction, Fraction]], tick: Fraction
) -> Iterator[Any]:
    """Packets with time stamps: pts of the frame shown, dts ascending and never after it."""
    late = max((n - index for n, index in enumerate(shown)), default=0)
    starts = [round(start / tick) for start, _ in times]
    step = max(1, round(times[0][1] / tick))
    for n, (packet, index) in enumerate(zip(packets, shown, strict=True)):
        packet.stream = stream
        packet.time_base = tick
        packet.pts = starts[index]
        packet.dts = starts[n - late] if n >= late else starts[0] - (late - n) * step
        packet.duration = round((times[index][0] + times[index][1]) / tick) - starts[index]
        yield packet
