"""Small video files made on the spot, with every kind of stream, and what is read back from a result."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

RATE = 48000
FONT = b"\x00\x01\x00\x00 not really a font"


@dataclass(kw_only=True)
class Recipe:
    """A file to make: a grey picture whose brightness counts frames, and a tone."""

    frames: int = 24
    fps: Fraction = Fraction(24)
    times: list[Fraction] | None = None
    size: tuple[int, int] = (64, 48)
    pixels: str = "yuv420p"
    codec: str = "ffv1"
    audio: tuple[str, ...] = ()
    subtitle: str | None = None
    forced: int | None = None
    chapters: bool = False
    cover: bytes | None = None
    attachment: bool = False
    aspect: Fraction = Fraction(1)
    tags: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tick: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)


def make(path: Path, recipe: Recipe) -> Path:
    """Write the file that a recipe describes."""
    with av.open(str(path), "w") as out:
        out.metadata.update(recipe.metadata)
        video = _video_stream(out, recipe)
        sounds = [_audio_stream(out, codec) for codec in recipe.audio]
        text: Any = out.add_mux_stream(recipe.subtitle) if recipe.subtitle else None
        if recipe.forced is not None:
            sounds[recipe.forced].disposition = Disposition.forced
        if recipe.cover:
            out.add_attachment("cover.png", "image/png", recipe.cover)
        if recipe.attachment:
            out.add_attachment("font.ttf", "font/ttf", FONT)
        if recipe.chapters:
            out.set_chapters(_chapters(("one", 0, 500), ("two", 500, 1000)))
        _write_video(out, video, recipe)
        end = _end(recipe)
        for sound in sounds:
            _write_audio(out, sound, end)
        if text is not None:
            _write_text(out, text, recipe.subtitle)
    return path


def _video_stream(out: Any, recipe: Recipe) -> Any:
    stream = out.add_stream(recipe.codec, rate=recipe.fps, options=recipe.options)
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pixels
    stream.codec_context.time_base = recipe.tick or 1 / recipe.fps
    stream.codec_context.sample_aspect_ratio = recipe.aspect
    for name, value in recipe.tags.items():
        setattr(stream.codec_context, name, value)
    return stream


def _audio_stream(out: Any, codec: str) -> Any:
    stream = out.add_stream(codec, rate=RATE)
    stream.codec_context.layout = "stereo"
    stream.metadata["language"] = "fin"
    return stream


def _end(recipe: Recipe) -> Fraction:
    if recipe.times is None:
        return recipe.frames / recipe.fps
    return 2 * recipe.times[-1] - recipe.times[-2]


def level(n: int, bits: int = 8) -> int:
    """Brightness of frame n."""
    return (30 + 8 * (n % 24)) << (bits - 8)


def _write_video(out: Any, stream: Any, recipe: Recipe) -> None:
    times = recipe.times or [n / recipe.fps for n in range(recipe.frames)]
    tick = recipe.tick or 1 / recipe.fps
    for n, time in enumerate(times):
        frame = av.VideoFrame(*recipe.size, recipe.pixels)
        bits = frame.format.components[0].bits
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
            rows[:] = level(n, bits)
        frame.time_base = tick
        frame.pts = round(time / tick)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _write_audio(out: Any, stream: Any, end: Fraction) -> None:
    samples = round(end * RATE)
    wave = np.sin(np.arange(samples) * (2 * np.pi * 440 / RATE)).astype(np.float32) * 0.3
    resampler = av.AudioResampler(format=stream.codec_context.format.name, layout="stereo", rate=RATE)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    fifo = av.AudioFifo()
    for part in resampler.resample(frame):
        fifo.write(part)
    size = stream.codec_context.frame_size or 1024
    while rest := fifo.read(size) or fifo.read(0, partial=True):
        out.mux(stream.encode(rest))
    out.mux(stream.encode(None))


def _write_text(out: Any, stream: Any, codec: str | None) -> None:
    for number, (start, length) in enumerate(((100, 300), (500, 400))):
        text = f"line {number}".encode()
        packet = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
        packet.stream = stream
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = length
        out.mux(packet)


def _chapters(*rows: tuple[str, int, int]) -> list[Any]:
    tick = Fraction(1, 1000)
    return [
        {"id": n, "start": start, "end": end, "time_base": tick, "metadata": {"title": title}}
        for n, (title, start, end) in enumerate(rows)
    ]


@dataclass
class Seen:
    """What is in a file; `starts` and `ends` are of the first stream of each type, in seconds."""

    times: list[Fraction]
    ends: dict[str, Fraction]
    starts: dict[str, Fraction]
    kinds: list[str]
    levels: list[float]
    metadata: dict[str, str]
    languages: list[str | None]
    chapters: list[tuple[str, Fraction, Fraction]]
    attachments: list[bytes]
    subtitles: list[tuple[Fraction, Fraction, bytes]]
    video: Any


def see(path: Path) -> Seen:
    """Read a whole file back, pixels too."""
    box: Any
    with av.open(str(path)) as box:
        spans: dict[int, list[tuple[Fraction, Fraction, bytes]]] = {}
        for packet in box.demux([s for s in box.streams if s.type != "attachment"]):
            if packet.pts is None:
                continue
            tick = Fraction(packet.time_base.numerator, packet.time_base.denominator)
            span = (packet.pts * tick, (packet.pts + (packet.duration or 0)) * tick, bytes(packet))
            spans.setdefault(packet.stream.index, []).append(span)
        types = {s.index: s.type for s in box.streams}
        firsts = sorted(spans.items(), reverse=True)  # of several of a type, the first comes last and stays
        picture = spans[box.streams.video[0].index]
        return Seen(
            times=sorted(start for start, _, _ in picture),
            ends={types[i]: max(end for _, end, _ in rows) for i, rows in firsts},
            starts={types[i]: min(start for start, _, _ in rows) for i, rows in firsts},
            kinds=[f"{s.type}:{s.codec_context.name}" for s in box.streams if s.codec_context is not None],
            levels=levels(path),
            metadata=dict(box.metadata),
            languages=[s.language for s in box.streams if s.type == "audio"],
            chapters=[
                (c["metadata"].get("title", ""), c["start"] * tick, c["end"] * tick)
                for c in box.chapters()
                for tick in [Fraction(1, c["time_base"].denominator)]
            ],
            attachments=[s.data for s in box.streams if s.type == "attachment"],
            subtitles=[span for i, rows in spans.items() if types[i] == "subtitle" for span in rows],
            video=_facts(path),
        )


def levels(path: Path) -> list[float]:
    """Mean of the first plane of every frame."""
    with av.open(str(path)) as box:
        return [_level(frame) for frame in box.decode(video=0)]


def _level(frame: av.VideoFrame) -> float:
    plane = frame.planes[0]
    wide = frame.format.components[0].bits > 8
    rows = np.frombuffer(plane, np.uint16 if wide else np.uint8).reshape(plane.height, -1)
    return float(rows[:, : plane.width].mean())


def _facts(path: Path) -> dict[str, Any]:
    """Format and colour tags of the picture's stream, as a decoder sees them."""
    with av.open(str(path)) as box:
        frame = next(box.decode(video=0))
        stream = box.streams.video[0]
        aspect = stream.sample_aspect_ratio
        return {
            "format": frame.format.name,
            "size": (frame.width, frame.height),
            "colorspace": frame.colorspace,
            "color_primaries": frame.color_primaries,
            "color_trc": frame.color_trc,
            "color_range": frame.color_range,
            "chroma_sample_location": frame.chroma_location,
            "aspect": Fraction(aspect.numerator, aspect.denominator) if aspect else None,
            "rate": Fraction(stream.average_rate.numerator, stream.average_rate.denominator),
        }


def even(count: int, fps: Fraction) -> list[Fraction]:
    """Start times of a constant rate."""
    return [n / fps for n in range(count)]


def steps(times: list[Fraction]) -> list[Fraction]:
    """Differences of neighbours."""
    return [b - a for a, b in itertools.pairwise(times)]
