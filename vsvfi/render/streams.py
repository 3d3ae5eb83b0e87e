"""The source file's other streams, copied packet by packet: audio, subtitles, cover, attachments, chapters, tags.

Nothing is decoded. A stream that the output's container cannot hold is left out, and a note says which.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

import av
from av.stream import Disposition

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

# Facts of the old file that are not true of the new one.
_STALE = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "bps",
    "number_of_",
    "_statistics",
    "handler_name",
    "vendor_id",
)
_EARLY = 2_000_000
"""Microseconds before the cut at which reading begins: audio is stored up to a second away from its picture."""


@dataclass(frozen=True)
class Span:
    """The part of the source that is rendered, in seconds on the source's own clock.

    Attributes:
        origin: what becomes time 0 of the output.
        start, end: where streams are cut; None: nowhere.
    """

    origin: Fraction
    start: Fraction | None = None
    end: Fraction | None = None


class Copies:
    """Packets of every stream but the picture, in the output's time.

    Attributes:
        notes: what was left out, a sentence each.
    """

    def __init__(self, source: InputContainer, output: OutputContainer, span: Span) -> None:
        self.notes: list[str] = []
        self._source = source
        self._output = output
        self._span = span
        self._to: dict[int, Any] = {}
        self._add()
        self._packets = self._read()

    def until(self, time: Fraction | None) -> None:
        """Write every packet due before `time`, an output time in seconds; None: all that are left."""
        for due, packet in self._packets:
            if time is not None and due >= time:
                # Not yet: put it back in front of the others.
                self._packets = chain([(due, packet)], self._packets)
                return
            self._output.mux(packet)

    def _add(self) -> None:
        picture = next(iter(self._source.streams.video), None)
        for stream in self._source.streams:
            if picture is not None and stream.index == picture.index:
                continue
            if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
                self._leave_out(stream, "only one picture is rendered")
            elif stream.type == "data" and self._source.chapters():
                continue  # MP4 keeps its chapters' names in such a stream; they are copied as chapters
            elif stream.type in ("data", "unknown"):
                self._leave_out(stream, "its kind cannot be copied")
            elif stream.type == "video" and "matroska" in self._output.format.name:
                self._attach_cover(stream)
            elif _add_to(_scratch(self._output), stream, try_it=True) is None:
                self._leave_out(stream, f"{self._output.format.name} cannot hold it")
            else:
                self._to[stream.index] = _add_to(self._output, stream)
        self._output.metadata.update(fresh(self._source.metadata))
        chapters = _shifted(self._source.chapters(), self._span)
        if chapters:
            self._output.set_chapters(chapters)

    def _attach_cover(self, stream: Any) -> None:
        """Matroska keeps covers as attachments, which libav shows as pictures when it reads them."""
        kind = {"png": "png", "mjpeg": "jpeg"}.get(stream.codec_context.name)
        with av.open(self._source.name) as again:
            picture = next((bytes(p) for p in again.demux(again.streams[stream.index]) if p.size), None)
        if kind is None or picture is None:
            self._leave_out(stream, f"{self._output.format.name} cannot hold it")
        else:
            name = stream.metadata.get("filename") or f"cover.{kind.replace('e', '')}"
            self._output.add_attachment(name, f"image/{kind}", picture)

    def _leave_out(self, stream: Any, why: str) -> None:
        kind = stream.codec_context.name if stream.codec_context is not None else stream.metadata.get("filename")
        language = stream.metadata.get("language")
        known = [stream.type, kind, None if language == "und" else language]
        self.notes.append(f"stream {stream.index} ({', '.join(k for k in known if k)}) is left out: {why}")

    def _read(self) -> Iterator[tuple[Fraction, Any]]:
        streams = [s for s in self._source.streams if s.index in self._to and s.type != "attachment"]
        if not streams:
            return
        if self._span.start is not None:
            self._source.seek(max(0, int(self._span.start * 1_000_000) - _EARLY))
        for packet in self._source.demux(streams):
            tick = _fraction(packet.time_base)
            if packet.stream.type == "video" and packet.size:
                packet.pts = packet.dts = round(self._span.origin / tick)  # a cover has no time of its own
            if packet.dts is None and packet.pts is None:
                continue  # the empty one that ends a stream
            if not self._keep(packet, tick):
                continue
            shift = round(self._span.origin / tick)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
            due = _first(packet.dts, packet.pts) * tick
            packet.stream = self._to[packet.stream.index]
            yield due, packet

    def _keep(self, packet: Any, tick: Fraction) -> bool:
        """Whether a packet lies in the span; a subtitle that is shown when the cut comes is cut itself."""
        begin = _first(packet.pts, packet.dts) * tick
        length = (packet.duration or 0) * tick
        start, end = self._span.start, self._span.end
        if end is not None and begin + (length / 2 if packet.stream.type == "audio" else 0) >= end:
            return False
        if start is None or begin >= start:
            return True
        if packet.stream.type != "subtitle" or begin + length <= start:
            return False
        late = round(start / tick) - packet.pts
        packet.pts, packet.dts, packet.duration = packet.pts + late, packet.pts + late, packet.duration - late
        return True


def fresh(metadata: dict[str, str]) -> dict[str, str]:
    """Tags without those that describe the old file rather than its content."""
    return {key: value for key, value in metadata.items() if not key.lower().startswith(_STALE)}


def _add_to(output: OutputContainer, stream: Any, *, try_it: bool = False) -> Any | None:
    """The stream made in `output`; `try_it`: None where its muxer refuses it, which only writing a header tells."""
    try:
        if stream.type == "attachment":
            name = stream.metadata.get("filename") or f"attachment-{stream.index}"
            made = output.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        else:
            made = output.add_stream_from_template(stream, opaque=True)
            made.disposition = stream.disposition
            made.metadata.clear()
            made.metadata.update(fresh(stream.metadata))
        if try_it:
            output.start_encoding()
    except (av.FFmpegError, ValueError):
        if not try_it:
            raise
        return None
    return made


def _scratch(output: OutputContainer) -> OutputContainer:
    """An empty file of the same format, in memory, that nobody will read."""
    return av.open(io.BytesIO(), "w", format=output.format.name)


def _shifted(chapters: list[Any], span: Span) -> list[Any]:
    """Chapters in the output's time; those outside are dropped, those across a cut shortened."""
    kept = []
    for chapter in chapters:
        tick = _fraction(chapter["time_base"])
        begin, end = chapter["start"] * tick, chapter["end"] * tick
        begin = begin if span.start is None else max(begin, span.start)
        end = end if span.end is None else min(end, span.end)
        if end > begin or (span.start is None and span.end is None):
            shifted = {"start": round((begin - span.origin) / tick), "end": round((end - span.origin) / tick)}
            kept.append({**chapter, **shifted})
    return kept


def _first(one: int | None, other: int | None) -> int:
    return one if one is not None else other or 0


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator, value.denominator)
