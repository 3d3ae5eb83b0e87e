from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vsvfi.errors import NotExplainedError, OptionError, ShapeError
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes
from vsvfi.model import Explanation, Features, Image, Model, ModelSpec, Motion
from vsvfi.tiling import Tiled, merged, spans

YUV420P8 = PlaneFormat("YUV", "int", 8, (1, 1), 150, 202)
FORMATS = {
    "YUV420P8": YUV420P8,
    "YUV410P10": PlaneFormat("YUV", "int", 10, (2, 2), 152, 204),
    "YUV422P16": PlaneFormat("YUV", "int", 16, (1, 0), 150, 201),
    "YUV420PH": PlaneFormat("YUV", "float", 16, (1, 1), 150, 202),
    "RGB24": PlaneFormat("RGB", "int", 8, (0, 0), 151, 203),
    "GRAYS": PlaneFormat("GRAY", "float", 32, (0, 0), 151, 203),
}


@dataclass(frozen=True)
class Images(Features, Motion):
    images: tuple[Image, ...]


def over(images, change):
    """`change(*tensors)` of every plane, or of the tensors that the images are."""
    first = images[0]
    if isinstance(first, Tensor):
        return change(*images)
    return dataclasses.replace(
        first, samples=tuple(change(*planes) for planes in zip(*(i.data for i in images), strict=True))
    )


class Blend(Model):
    """(1 - t) * image0 + t * image1 of each sample; notes the sizes it was given."""

    def __init__(self, **facts) -> None:
        facts = {"name": "blend", "family": "test", "variant": "", "summary": "", "license": "MIT", **facts}
        super().__init__(ModelSpec(commercial=True, source="", **facts), torch.device("cpu"), torch.float32)
        self.sizes: list[tuple[int, int]] = []

    def encode(self, image):
        plane = image if isinstance(image, Tensor) else image.data[0]
        assert isinstance(image, Tensor) or tuple(plane.shape) == image.format.plane_size(0)
        self.sizes.append((plane.shape[-1], plane.shape[-2]))
        return Images((image,))

    def relate(self, features0, features1):
        return Images(features0.images + features1.images)

    def synthesize(self, motion, t):
        return over(motion.images, lambda a, b: self.mixed(a, b, t))

    def mixed(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        result = torch.lerp(a.float(), b.float(), t)
        return (result if a.dtype.is_floating_point else result.round()).to(a.dtype)


class Shift(Blend):
    """image0 moved right by 4 samples, its left edge repeated: a tile's edge shows in it."""

    def mixed(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return torch.cat([a[..., :1].expand(*a.shape[:-1], 4), a[..., :-4]], -1)


class Explained(Blend):
    """Explains every tile by where its pixels are: image0's first two channels as flow, the third as mask."""

    def explain(self, motion, t):
        image = motion.images[0][0]
        return Explanation(image[:2], -image[:2] * t, image[2:])


def random_planes(format: PlaneFormat, seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    data = []
    for p in range(format.num_planes):
        samples = rng.random(format.plane_size(p)) * format.peak
        data.append(torch.from_numpy(samples.round() if format.sample == "int" else samples).to(format.dtype))
    return Planes(format, ColorInfo(1, False, seed), tuple(data))


def between(model, image0, image1, t=0.3):
    return model.synthesize(model.relate(model.encode(image0), model.encode(image1)), t)


def images(n: int = 1, height: int = 203, width: int = 151, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(n, 3, height, width, generator=generator).to(dtype) for _ in range(2)]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tile", [(64, 64), (64, 256), (100, 70)], ids=lambda t: f"{t[0]}x{t[1]}")
def test_a_pointwise_model_gives_the_same_planes_in_tiles(name: str, tile: tuple[int, int]) -> None:
    planes = [random_planes(FORMATS[name], seed) for seed in (1, 2)]
    whole, tiled = between(Blend(), *planes), between(Tiled(Blend(), tile, 16), *planes)
    assert (tiled.format, tiled.color) == (whole.format, whole.color)
    for a, b in zip(whole.data, tiled.data, strict=True):
        assert b.dtype == a.dtype
        assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("multiple", [1, 32])
def test_a_pointwise_model_gives_the_same_tensor_in_tiles(dtype: torch.dtype, n: int, multiple: int) -> None:
    pair = images(n, dtype=dtype)
    inner = Blend(multiple=multiple)
    tiled = between(Tiled(inner, 64, 8), *pair)
    assert len(inner.sizes) > 2
    assert tiled.dtype == dtype
    assert torch.equal(tiled, between(Blend(), *pair))


def test_what_fits_one_tile_is_the_inner_models_own_answer() -> None:
    inner = Blend()
    image0, image1 = images(height=64, width=48)
    tiled = Tiled(inner, (64, 64), 31)
    assert tiled.relate(tiled.encode(image0), tiled.encode(image1)).tiles == (Images((image0, image1)),)
    assert torch.equal(between(tiled, image0, image1), between(inner, image0, image1))


def test_all_tiles_have_one_size_and_end_with_the_image() -> None:
    inner = Blend()
    Tiled(inner, (64, 96), 10).encode(images()[0])
    assert set(inner.sizes) == {(64, 96)}
    assert len(inner.sizes) == 3 * 3


def test_the_interpolation_of_two_tensors_works_in_tiles() -> None:
    image0, image1 = images()
    assert torch.equal(Tiled(Blend(), 64, 16).interpolate(image0, image1), Blend().interpolate(image0, image1))


@st.composite
def sides(draw: st.DrawFn) -> tuple[int, int, int, int]:
    tile = draw(st.integers(64, 600))
    return draw(st.integers(16, 3000)), tile, draw(st.integers(0, (tile - 1) // 2)), draw(st.integers(1, 200))


@given(sides())
def test_spans(side: tuple[int, int, int, int]) -> None:
    size, tile, overlap, step = side
    found = spans(size, tile, overlap, step)
    lengths = [stop - start for start, stop in found]
    assert found[0][0] == 0
    assert found[-1][1] == size
    assert all(start % step == 0 for start, _ in found)
    if len(found) == 1:
        assert size <= max(tile + step, 2 * step)
        return
    assert set(lengths[:-1]) == {lengths[0]}
    assert lengths[0] - step < lengths[-1] <= lengths[0]
    assert lengths[0] < max(tile + step, 2 * step + 1)
    for (a, b), (c, d) in pairwise(found):
        assert a < c <= b - overlap < d


@given(sides(), st.integers(0, 255))
def test_tiles_that_agree_come_out_exactly(side: tuple[int, int, int, int], value: int) -> None:
    """Feathering weights sum to one: no code value is lost in any overlap."""
    size, tile, overlap, step = side
    along = spans(min(size, 800), tile, overlap, step)
    truth = (torch.arange(2 * along[-1][1]).reshape(2, -1) * 7 + value).to(torch.uint8)
    parts = [truth[:, start:stop] for start, stop in along]
    assert torch.equal(merged(parts, [(0, 2)], along), truth)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_integers_are_rounded_once(dtype: torch.dtype) -> None:
    """Four tiles of four values: rounding the strips first would give other codes."""
    span = [(0, 4), (2, 6)]
    values = [0, 255, 255, 1]
    found = merged([torch.full((4, 4), value, dtype=dtype) for value in values], span, span)
    ramp = np.array([0, 0, 0.25, 0.75, 1, 1])
    a, b, c, d = values
    right, down = ramp[None, :], ramp[:, None]
    top, bottom = (1 - right) * a + right * b, (1 - right) * c + right * d
    exact = (1 - down) * top + down * bottom
    assert (np.rint((1 - down) * np.rint(top) + down * np.rint(bottom)) != np.rint(exact)).any()
    want = np.rint(exact) if dtype == torch.uint8 else exact
    np.testing.assert_array_equal(found.numpy(), want.astype(found.numpy().dtype))


def steps(overlap: int, layout: str) -> float:
    """The largest step between neighbours in a moved ramp, beyond the ramp's own, at a tile's seams."""
    if layout == "rgb":
        ramp = torch.arange(151).expand(1, 3, 203, 151).float()
        row = between(Tiled(Shift(), 64, overlap), ramp, ramp)[0, 0, 100]
    else:
        format = PlaneFormat("YUV", "float", 32, (1, 1), 150, 202)
        data = (torch.arange(150.0).expand(202, 150), *2 * (torch.arange(75.0).expand(101, 75),))
        planes = Planes(format, ColorInfo(1, False, 0), data)
        row = between(Tiled(Shift(), 64, overlap), planes, planes).data[2][50]
    return float((row.diff()[4:] - 1).abs().max())


@pytest.mark.parametrize("layout", ["rgb", "planes"])
def test_seams_are_smooth(layout: str) -> None:
    """A tile repeats its left edge over 4 samples, an error of up to 4: abrupt without overlap, faint with it."""
    assert steps(0, layout) == 4
    assert steps(24, layout) < 1


def test_far_from_seams_a_shift_is_the_untiled_shift() -> None:
    image0, image1 = images()
    whole, tiled = between(Shift(), image0, image1), between(Tiled(Shift(), 64, 16), image0, image1)
    different = (whole != tiled).any(0).any(0).any(0).nonzero().flatten().tolist()
    seams = [start + k for start, _ in spans(151, 64, 16, 1)[1:] for k in range(4)]
    assert different == seams


def test_explanations_are_merged_too() -> None:
    image0, image1 = images()
    model = Tiled(Explained(), 64, 16)
    explained = model.explain(model.relate(model.encode(image0), model.encode(image1)), 0.25)
    assert torch.equal(explained.flow_t0, image0[0, :2])
    assert torch.equal(explained.flow_t1, image0[0, :2] * -0.25)
    assert torch.equal(explained.mask, image0[0, 2:])


def test_a_model_that_explains_nothing_still_says_so() -> None:
    model = Tiled(Blend(), 64, 16)
    with pytest.raises(NotExplainedError, match="blend has no flow or mask"):
        model.explain(model.relate(*map(model.encode, images())), 0.5)


def test_options_reach_the_inner_model() -> None:
    model = Tiled(Blend(scales=(0.5, 2.0), options={"passes": 1}), (64, 80), 16).configured(scale=0.5, passes=3)
    assert isinstance(model, Tiled)
    assert (model.tile, model.overlap) == ((64, 80), 16)
    assert model.settings == model.inner.settings == {"scale": 0.5, "passes": 3}
    with pytest.raises(OptionError, match="blend has no option 'speed'"):
        model.configured(speed=1)


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (63, 0, "tile must be at least 64x64, got 63x63"),
        ((64, 32), 0, "tile must be at least 64x64, got 64x32"),
        (64, -1, "overlap must be at least 0, got -1"),
        ((128, 64), 32, "tile must be larger than twice the overlap; for 128x64 give overlap=31 or less"),
    ],
)
def test_refused_tiles(tile, overlap: int, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Tiled(Blend(), tile, overlap)
    assert str(caught.value) == message


def test_images_of_two_sizes_are_refused() -> None:
    model = Tiled(Blend(), 64, 16)
    features = [model.encode(torch.zeros(1, 3, 100, width)) for width in (100, 101)]
    with pytest.raises(ShapeError, match="images must be of one size, got 100x100 and 101x100"):
        model.relate(*features)
