"""Both ways agree with core.resize.Bilinear within one code value: formats, matrices, ranges, locations, odd sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vapoursynth as vs

from vsvfi.color.from_planes import from_planes
from vsvfi.color.properties import resolve
from vsvfi.color.to_planes import to_planes
from vsvfi.errors import FrameError
from vsvfi.frames import host

BASE = {"format": vs.YUV420P8, "matrix": 1, "range": 0, "location": 0, "size": (64, 48)}
YUV = [
    vs.YUV420P8, vs.YUV422P8, vs.YUV444P8, vs.YUV410P8, vs.YUV411P8, vs.YUV440P8, vs.YUV420P10, vs.YUV422P12,
    vs.YUV444P16, vs.YUV420P16, vs.YUV444PH, vs.YUV444PS, vs.YUV420PS,
]  # fmt: skip
CASES = [
    BASE,
    *({**BASE, "format": f} for f in YUV[1:]),
    *({**BASE, "matrix": m} for m in (4, 5, 6, 7, 8, 9)),
    {**BASE, "range": 1},
    *({**BASE, "location": location} for location in range(1, 6)),
    *({**BASE, "size": size} for size in ((66, 50), (16, 16), (130, 34))),
    {**BASE, "format": vs.YUV444P8, "size": (33, 17)},
    {**BASE, "format": vs.YUV420P10, "range": 1, "matrix": 9, "location": 2},
    {**BASE, "format": vs.YUV422P16, "range": 1, "matrix": 6, "location": 1, "size": (34, 19)},
]


def case_id(case: dict) -> str:
    changed = {k: v for k, v in case.items() if BASE[k] != v}
    return "-".join(f"{k}={getattr(v, 'name', v)}" for k, v in changed.items()) or "base"


def picture(format: int, size: tuple[int, int], props: dict[str, int]) -> vs.VideoNode:
    """Smooth colour bands with an edge, inside the nominal range, in the given format."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bands = [0.5 + 0.3 * np.sin(x / (5 + c) + y / (7 - c) + c) for c in range(3)]
    rgb = [np.where(x > width * 0.6, 0.9 - 0.5 * band, band) for band in bands]
    blank = vs.core.std.BlankClip(format=vs.RGBS, width=width, height=height, length=1)

    def fill(n, f):
        frame = f.copy()
        for p, plane in enumerate(rgb):
            np.copyto(np.asarray(frame[p]), plane)
        return frame

    clip = blank.std.ModifyFrame(blank, fill)
    if vs.core.get_video_format(format).color_family == vs.RGB:
        return clip.resize.Point(format=format)
    keys = {"matrix": "_Matrix", "range": "_Range", "chromaloc": "_ChromaLocation"}
    return clip.resize.Bilinear(format=format, **{k: props[v] for k, v in keys.items() if v in props})


def properties(case: dict) -> dict[str, int]:
    return {"_Matrix": case["matrix"], "_Range": case["range"], "_ChromaLocation": case["location"]}


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_to_rgb(case: dict) -> None:
    clip = picture(case["format"], case["size"], properties(case))
    frame = clip.get_frame(0)
    format = host.plane_format(clip)
    ours = from_planes(host.view(frame, format, resolve(frame.props, format)))[0].numpy()
    theirs = clip.resize.Bilinear(format=vs.RGBS).get_frame(0)
    code = 1 / (255 if format.sample == "int" and format.bits == 8 else 1023)
    for c in range(3):
        assert np.abs(ours[c] - np.asarray(theirs[c])).max() < code / 4


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_to_planes(case: dict) -> None:
    source = picture(vs.RGBS, case["size"], {})
    props = properties(case)
    theirs_clip = source.resize.Bilinear(
        format=case["format"], matrix=props["_Matrix"], range=props["_Range"], chromaloc=props["_ChromaLocation"]
    )
    theirs, format = theirs_clip.get_frame(0), host.plane_format(theirs_clip)
    image = torch.from_numpy(np.stack([np.asarray(source.get_frame(0)[p]) for p in range(3)]))[None]
    for dither in ("none", "ordered"):
        ours = to_planes(image, format, resolve(theirs.props, format), dither=dither).arrays
        for p, plane in enumerate(ours):
            other = np.asarray(theirs[p]).astype(np.float64)
            limit = {"int": 1.0, "float": 1e-3 if format.bits == 16 else 1e-5}[format.sample]
            assert np.abs(plane.astype(np.float64) - other).max() <= limit, (dither, p)


@pytest.mark.parametrize(
    "format", [vs.GRAY8, vs.GRAY16, vs.GRAYS, vs.GRAYH, vs.RGB24, vs.RGB48, vs.RGBS, vs.RGBH], ids=lambda f: f.name
)
@pytest.mark.parametrize("full", [0, 1])
def test_gray_and_rgb_come_back_exactly(format, full: int) -> None:
    source = picture(vs.RGBS, (33, 17), {})
    gray = vs.core.get_video_format(format).color_family == vs.GRAY
    clip = (
        source.std.ShufflePlanes(0, vs.GRAY).resize.Point(format=format, range=full)
        if gray
        else source.resize.Point(format=format)
    )
    frame, plain = clip.get_frame(0), host.plane_format(clip)
    planes = host.view(frame, plain, resolve(frame.props, plain))
    back = to_planes(from_planes(planes), plain, planes.color)
    tolerance = 0 if plain.sample == "int" else 1e-3 if plain.bits == 16 else 1e-6
    for a, b in zip(planes.arrays, back.arrays, strict=True):
        assert np.abs(a.astype(np.float64) - b).max() <= tolerance


@pytest.mark.parametrize("format", [vs.YUV444P8, vs.YUV444P10, vs.YUV444P16], ids=lambda f: f.name)
def test_every_code_comes_back_within_one(format) -> None:
    clip = picture(format, (64, 48), {"_Matrix": 1})
    frame, plain = clip.get_frame(0), host.plane_format(clip)
    planes = host.view(frame, plain, resolve(frame.props, plain))
    back = to_planes(from_planes(planes), plain, planes.color)
    for a, b in zip(planes.arrays, back.arrays, strict=True):
        assert np.abs(a.astype(np.int64) - b).max() <= 1


def test_half_precision_result() -> None:
    clip = picture(vs.YUV420P8, (64, 48), {"_Matrix": 1})
    frame, plain = clip.get_frame(0), host.plane_format(clip)
    planes = host.view(frame, plain, resolve(frame.props, plain))
    assert from_planes(planes, torch.float16).dtype == torch.float16
    assert (from_planes(planes, torch.float16).float() - from_planes(planes)).abs().max() < 1e-3


def test_dither_depends_on_the_position_alone_and_keeps_the_mean() -> None:
    image = torch.full((1, 3, 64, 64), 100.25 / 255)
    clip = vs.core.std.BlankClip(format=vs.RGB24, width=64, height=64)
    format = host.plane_format(clip)
    color = resolve({}, format)
    first, second = (to_planes(image, format, color).arrays[0] for _ in range(2))
    assert (first == second).all()
    assert set(np.unique(first)) == {100, 101}
    assert first.mean() == pytest.approx(100.25, abs=0.01)
    assert (to_planes(image, format, color, dither="none").arrays[0] == 100).all()


@pytest.mark.parametrize(
    ("format", "props", "expected"),
    [
        (vs.YUV420P8, {}, (6, False, 0)),
        (vs.YUV420P8, {"_Matrix": 2}, (6, False, 0)),
        (vs.YUV420P8, {"_Matrix": 9, "_Range": 1, "_ChromaLocation": 2}, (9, True, 2)),
        (vs.YUV420P8, {"_ColorRange": 0}, (6, True, 0)),
        (vs.YUV420P8, {"_ColorRange": 0, "_Range": 0}, (6, False, 0)),
        (vs.RGB24, {}, (0, True, 0)),
        (vs.RGB24, {"_Range": 0}, (0, False, 0)),
        (vs.GRAY8, {"_Matrix": 14}, (0, False, 0)),
    ],
)
def test_properties(format, props: dict, expected: tuple) -> None:
    info = resolve(props, host.plane_format(vs.core.std.BlankClip(format=format, width=64, height=64)))
    assert (info.matrix, info.full_range, info.chroma_location) == expected


def test_untagged_high_definition_is_709() -> None:
    info = resolve({}, host.plane_format(vs.core.std.BlankClip(format=vs.YUV420P8, width=1280, height=720)))
    assert info.matrix == 1


@pytest.mark.parametrize("matrix", [0, 3, 10, 14])
def test_matrices_that_cannot_be_used(matrix: int) -> None:
    format = host.plane_format(vs.core.std.BlankClip(format=vs.YUV420P8, width=64, height=64))
    with pytest.raises(FrameError, match=f"_Matrix={matrix} cannot be used with YUV; set it to"):
        resolve({"_Matrix": matrix}, format)
