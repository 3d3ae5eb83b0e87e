"""The output file: the picture's stream beside copies of the source's others, in the container its suffix names."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from ..errors import RenderError
from .streams import Copies, Span, fresh

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

RAW = {".264": "h264", ".h264": "h264", ".avc": "h264", ".265": "hevc", ".h265": "hevc", ".hevc": "hevc"}
"""Suffixes of bare streams, which hold no time stamps and nothing but the picture."""


class Muxer:
    """An output file being written.

    Attributes:
        output: libav's container; add the picture's stream to it, then call `copy_others`.
        notes: what of the source was left out.
    """

    def __init__(self, path: Path, source: Path) -> None:
        self.notes: list[str] = []
        self._path = path
        self._copies: Copies | None = None
        try:
            self.output: OutputContainer = av.open(str(path), "w")
        except ValueError as error:
            raise RenderError(
                f"no container is known by the suffix {path.suffix!r}; use .mkv, .mp4, .mov, .webm ..."
            ) from error
        self._source: InputContainer = av.open(str(source))

    def plan(self, span: Span) -> list[str]:
        """What would be left out, said before there is a picture; of no use but to ask, since nothing is written."""
        return Copies(self._source, self.output, span).notes

    def copy_others(self, picture: Any, span: Span) -> None:
        """Add the source's other streams, then write the header: nothing can be added after this.

        Raises:
            RenderError: the container refuses the picture's stream, or cannot be written.
        """
        first = next(iter(self._source.streams.video), None)
        if first is not None:
            picture.metadata.update(fresh(first.metadata))
            picture.disposition = first.disposition
        if self._path.suffix.lower() not in RAW:
            self._copies = Copies(self._source, self.output, span)
            self.notes += self._copies.notes
        elif len(self._source.streams) > 1:
            self.notes.append(f"a {self._path.suffix} file holds the picture only: all other streams are left out")
        try:
            self.output.start_encoding()
        except (av.FFmpegError, ValueError, OSError) as error:
            raise RenderError(f"cannot write {self._path.name}: {error}") from error

    def write(self, packets: Iterable[Any]) -> None:
        """Write the picture's packets, and before each the copies that are due."""
        for packet in packets:
            if self._copies is not None and packet.dts is not None:
                self._copies.until(packet.dts * Fraction(packet.time_base.numerator, packet.time_base.denominator))
            self.output.mux(packet)

    def close(self, *, complete: bool) -> None:
        """Write what is left and the trailer; an incomplete file ends where its picture does, and can be played."""
        try:
            if complete and self._copies is not None:
                self._copies.until(None)
        finally:
            self._source.close()
            self.output.close()
