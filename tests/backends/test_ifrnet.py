"""IFRNet keeps the contract of a model; times by halving, scales, precisions, traces."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from tests.backends.ifrnet import DTYPES, blending, built, frames, model, weights
from vsvfi import plugins, testing
from vsvfi.cache import nbytes_of
from vsvfi.errors import OptionError, ShapeError, WeightsError
from vsvfi.testing.pictures import pair, texture
from vsvfi.weights import registry

SPECS = registry.family("ifrnet")
GOPRO = registry.known()["ifrnet-s-gopro"]


@pytest.fixture(scope="module")
def halving():
    """Weights that ignore t, as the published ones of Vimeo-90K do; they blend."""
    return built("ifrnet-s", blending())


@pytest.fixture(scope="module")
def heeding():
    """Weights that take any t, as those of GoPro do; they blend by it."""
    return built("ifrnet-s-gopro", blending(6.0))


@pytest.mark.parametrize("check", testing.checks(SPECS[0]), ids=lambda check: check.__name__)
def test_contract_of_weights_that_ignore_t(check: testing.Check, halving) -> None:
    check(halving)


@pytest.mark.parametrize("check", testing.checks(GOPRO), ids=lambda check: check.__name__)
def test_contract_of_weights_that_take_any_t(check: testing.Check, heeding) -> None:
    check(heeding)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_plugin_builds_every_model(spec) -> None:
    size = spec.name.removesuffix("-gopro")
    made = plugins.build(spec, "cpu", "fp32", weights(size))
    assert made.spec is spec
    assert made.interpolate(*pair(16, 16)).shape == (1, 3, 16, 16)


def test_weights_that_ignore_t_are_known_by_their_values(halving, heeding) -> None:
    assert halving.middle_only
    assert not heeding.middle_only
    assert not model("ifrnet-s").middle_only, "the recipe's heed t, whatever the spec says"
    image0, image1 = pair(32, 48)
    direct = halving.configured(recursive=False)
    assert torch.equal(direct.interpolate(image0, image1, 0.25), direct.interpolate(image0, image1, 0.5))


def test_other_times_come_by_halving(halving) -> None:
    """Even blends of blends: at t the frame is (1 - t) * image0 + t * image1, to the nearest sixteenth."""
    image0, image1 = pair(32, 48)
    for t, place in ((0.25, 4), (0.6, 10), (0.99, 15)):
        wanted = torch.lerp(image0, image1, place / 16)
        assert (halving.interpolate(image0, image1, t) - wanted).abs().max() < 1e-5


def test_recursive_overrides_what_the_weights_say(heeding) -> None:
    image0, image1 = pair(32, 48)
    halved = heeding.configured(recursive=True).interpolate(image0, image1, 0.25)
    assert (halved - torch.lerp(image0, image1, 0.25)).abs().max() < 1e-5
    assert (heeding.interpolate(image0, image1, 0.25) - halved).abs().max() > 0.01
    assert torch.equal(heeding.interpolate(image0, image1, 0.25, recursive=True), halved), "as an option of one call"
    with pytest.raises(OptionError, match="recursive must be None, True or False, got 'yes'"):
        heeding.configured(recursive="yes")


def test_random_access_equals_linear_access() -> None:
    made = model("ifrnet-s").configured(recursive=True)
    with torch.inference_mode():
        features = [made.encode(image) for image in pair(32, 48)]
        linear, random = made.relate(*features), made.relate(*features)
        forth = {k: made.synthesize(linear, k / 8) for k in range(1, 8)}
        back = {k: made.synthesize(random, k / 8) for k in (3, 7, 1, 6, 2, 5, 4)}
    assert all(torch.equal(forth[k], back[k]) for k in forth)


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.8, 1.0])
def test_any_scale_at_any_size(scale: float) -> None:
    made = model("ifrnet-s").configured(scale=scale)
    for height, width in ((16, 16), (33, 50)):
        image = made.interpolate(*pair(height, width))
        assert image.shape == (1, 3, height, width)
        assert image.isfinite().all()


def test_weights_that_do_not_fit_are_named() -> None:
    wrong = {**weights("ifrnet-s"), "decoder1.convblock.2.bias": torch.zeros(9), "more": torch.zeros(1)}
    del wrong["encoder.pyramid1.0.0.weight"]
    with pytest.raises(WeightsError, match=re.escape("encoder.pyramid1.0.0.weight")) as raised:
        built("ifrnet-s", wrong)
    assert "more" in str(raised.value)
    assert "(9,)" in str(raised.value)
    with pytest.raises(WeightsError, match="these are not ifrnet-l's weights"):
        built("ifrnet-l", weights("ifrnet-s"))


def test_pairs_of_two_sizes_are_refused() -> None:
    made = model("ifrnet-s")
    with torch.inference_mode():
        features = [made.encode(torch.zeros(1, 3, *size)) for size in ((16, 16), (16, 80))]
        with pytest.raises(ShapeError, match="1 of 16x16 and 1 of 80x16"):
            made.relate(*features)


def test_caches_can_count_what_is_kept() -> None:
    made, pixels = model("ifrnet-s"), 128 * 192
    with torch.inference_mode():
        motion = made.relate(*(made.encode(image) for image in frames("small")))
    features = sum(c * pixels / 4 ** (k + 1) for k, c in enumerate((24, 36, 54, 72)))
    assert nbytes_of(motion) == 4 * (2 * 3 * pixels + 2 * features)


class Stage(torch.nn.Module):
    """One stage's tensor part, as an engine takes it."""

    def __init__(self, run) -> None:
        super().__init__()
        self.net = model("ifrnet-s").net
        self.run = run

    def forward(self, *tensors: Tensor):
        return self.run(self.net, *tensors)


def stages() -> dict[str, tuple[Stage, tuple[Tensor, ...]]]:
    with torch.inference_mode(False), torch.no_grad():
        images = torch.cat(pair(64, 96)).contiguous(memory_format=torch.channels_last) - 0.5
        features = model("ifrnet-s").net.encode(images)
        halves = [each.chunk(2) for each in features]
    inputs = [half[0] for half in halves] + [half[1] for half in halves]
    return {
        "relate": (Stage(lambda net, image: tuple(net.encode(image))), (images,)),
        "synthesize": (
            Stage(lambda net, t, *f: tuple(net.decode(list(f[:4]), list(f[4:]), t))), (torch.tensor(0.3), *inputs)
        ),
    }  # fmt: skip


@pytest.mark.parametrize("stage", ["relate", "synthesize"])
def test_stages_are_traced_whole(stage: str) -> None:
    module, inputs = stages()[stage]
    with torch.no_grad():
        eager = module(*inputs)
        exported = torch.export.export(module, inputs).module()(*inputs)
        compiled = torch.compile(module, fullgraph=True, backend="eager")(*inputs)
    for traced in (exported, compiled):
        torch.testing.assert_close(traced, eager, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_lower_precisions_agree_as_the_spec_says(precision: str) -> None:
    """PSNR against single precision, least of both sizes and three t of the published answers; peak 1."""
    single, lower = model("ifrnet-s"), model("ifrnet-s", precision)
    found = []
    for size in ("small", "odd"):
        for t in (0.25, 0.5, 0.75):
            images = [image.to(DTYPES[precision]) for image in frames(size)]
            off = lower.interpolate(*images, t).float() - single.interpolate(*frames(size), t)
            found.append(-10 * off.pow(2).mean().log10().item())
    assert registry.known()["ifrnet-s"].agreement[precision] == pytest.approx(min(found), abs=1.5)


def test_positions_are_single_in_half(halving) -> None:
    """Between equal images lies that image: at this width bfloat16 has a number for every 8th pixel only."""
    image = texture(16, 1920, seed=1).bfloat16()
    result = built("ifrnet-s", blending(), "bf16").interpolate(image, image)
    assert (result.float() - image.float()).abs().max() <= 2**-7  # less the mean, plus the mean: a step each way
