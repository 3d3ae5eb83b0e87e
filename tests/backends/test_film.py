"""FILM keeps the contract of a model; its own options, precisions, memory and traces."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from vsvfi.backends.film.network import pyramid

from tests.backends.film import blending, built, model, related, weights
from vsvfi import testing
from vsvfi.cache import nbytes_of
from vsvfi.errors import OptionError, ShapeError, WeightsError
from vsvfi.testing.pictures import pair, texture
from vsvfi.weights import registry

SPECS = registry.family("film")


@pytest.fixture(scope="module", params=[False, True], ids=["direct", "recursive"])
def blend(request: pytest.FixtureRequest):
    """A FILM that moves and mixes: what weights of the recipe make is no picture."""
    return built(blending(-0.2)).configured(recursive=request.param)


@pytest.mark.parametrize("check", testing.checks(SPECS[0]), ids=lambda check: check.__name__)
def test_contract(check: testing.Check, blend) -> None:
    check(blend)


def test_weights_that_do_not_fit_are_named() -> None:
    wrong = {**weights(), "fuse.output_conv.bias": torch.zeros(4), "more": torch.zeros(1)}
    del wrong["fuse.output_conv.weight"]
    with pytest.raises(WeightsError, match=re.escape("fuse.output_conv.weight")) as raised:
        built(wrong)
    assert "more" in str(raised.value)
    assert "(4,)" in str(raised.value)


def test_the_callers_weights_stay_his_own() -> None:
    given = blending(1.0)
    before = given["fuse.output_conv.weight"].clone()
    made = built(given)
    with torch.no_grad():
        made.net.fuse.output_conv.weight.fill_(7)
    assert torch.equal(given["fuse.output_conv.weight"], before)


def test_weights_in_half_are_cast() -> None:
    halves = {key: value.half() for key, value in blending(1.0).items()}
    made = built(halves)
    assert {value.dtype for value in made.net.state_dict().values()} == {torch.float32}


def test_pairs_of_two_sizes_are_refused() -> None:
    with torch.inference_mode():
        features = [model().encode(torch.zeros(1, 3, *size)) for size in ((16, 16), (16, 80))]
        with pytest.raises(ShapeError, match="1 of 16x16 and 1 of 80x16"):
            model().relate(*features)


def test_caches_can_count_what_is_kept() -> None:
    motion = related("small")
    pixels = 128 * 192
    images = sum(3 * pixels / 4**i for i in range(5))
    features = sum(sum(64 << j for j in range(min(4, i + 1))) * pixels / 4**i for i in range(7))
    flows = sum(2 * pixels / 4**i for i in range(5))
    assert nbytes_of(motion.features0) == 4 * (images + features)
    assert nbytes_of(motion) == 4 * 2 * (images + features + flows)


class Stage(torch.nn.Module):
    """One stage's tensor part, as an engine takes it."""

    def __init__(self, run) -> None:
        super().__init__()
        self.net = model().net
        self.run = run

    def forward(self, *tensors: Tensor):
        return self.run(self.net, *tensors)


def stages() -> dict[str, tuple[Stage, tuple[Tensor, ...]]]:
    """Of a pair of 64x128, with the inputs of each."""
    with torch.inference_mode(False), torch.no_grad():
        images0, images1 = (pyramid(image.contiguous(memory_format=torch.channels_last)) for image in pair(64, 128))
        features0, features1 = model().net.extract(images0), model().net.extract(images1)
        flow01 = model().net.predict_flow(features0, features1)
    return {
        "encode": (Stage(lambda net, image: net.extract(pyramid(image))), (images0[0],)),
        "relate": (Stage(lambda net, *f: net.predict_flow(f[:7], f[7:])), (*features0, *features1)),
        "synthesize": (
            Stage(lambda net, t, *f: net.fuse(f[:5], f[5:10], f[10:15], f[15:20], f[20:25], f[20:25], t)),
            (torch.tensor(0.3), *images0[:5], *features0[:5], *images1[:5], *features1[:5], *flow01[:5]),
        ),
    }


@pytest.mark.parametrize("stage", ["encode", "relate", "synthesize"])
def test_stages_are_traced_whole(stage: str) -> None:
    module, inputs = stages()[stage]
    with torch.no_grad():
        eager = module(*inputs)
        exported = torch.export.export(module, inputs).module()(*inputs)
        compiled = torch.compile(module, fullgraph=True, backend="eager")(*inputs)
    for traced in (exported, compiled):
        torch.testing.assert_close(traced, eager, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("precision", "t"), [("fp16", 0.75), ("bf16", 0.25)])
def test_lower_precisions_agree_as_the_spec_says(precision: str, t: float) -> None:
    """PSNR of the image as the network gives it, not limited to [0, 1], against single precision; peak 1.

    Recorded is the least of both sizes and all three t of the published answers.
    """
    with torch.inference_mode():
        off = model(precision).raw(related("small", precision), t) - model().raw(related("small"), t)
    found = -10 * off.float().pow(2).mean().log10().item()
    assert [spec.agreement[precision] for spec in SPECS] == pytest.approx([found] * 3, abs=1.5)


def test_positions_are_single_in_half() -> None:
    """Between equal images lies that image: at this width bfloat16 has a number for every 8th pixel only."""
    image = texture(16, 1920, seed=1).bfloat16()
    result = built(blending(), "bf16").interpolate(image, image)
    assert (result.float() - image.float()).abs().max() <= 2**-8  # one step of bfloat16 below 1


def test_other_times_come_by_halving_unless_asked_otherwise() -> None:
    """Weights that move nothing and mix evenly: halves of halves are (1 - t) * image0 + t * image1."""
    made, (image0, image1) = built(blending()), pair(32, 48)
    for t, place in ((0.25, 4), (0.6, 10)):
        wanted = torch.lerp(image0, image1, place / 16)
        assert (made.interpolate(image0, image1, t) - wanted).abs().max() < 1e-5
    direct = made.configured(recursive=False).interpolate(image0, image1, 0.25)
    assert (direct - (image0 + image1) / 2).abs().max() < 1e-5
    with pytest.raises(OptionError, match="recursive must be True or False, got 'no'"):
        made.configured(recursive="no")


def test_random_access_equals_linear_access() -> None:
    made = model()
    with torch.inference_mode():
        features = [made.encode(image) for image in pair(16, 16)]
        linear, random = made.relate(*features), made.relate(*features)
        forth = {k: made.synthesize(linear, k / 4) for k in (1, 2, 3)}
        back = {k: made.synthesize(random, k / 4) for k in (3, 1, 2)}
    assert all(torch.equal(forth[k], back[k]) for k in forth)
