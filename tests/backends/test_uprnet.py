"""UPR-Net keeps the contract of a model; its own options, precisions, strips and traces."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from vsvfi.backends.uprnet import strips
from vsvfi.backends.uprnet.network import running
from vsvfi.backends.uprnet.strips import in_strips

from tests.backends.uprnet import VARIANTS, blending, built, frames, model, weights
from vsvfi import testing
from vsvfi.errors import OptionError, ShapeError, WeightsError
from vsvfi.testing.pictures import pair, texture
from vsvfi.weights import registry

SPECS = registry.family("uprnet")


@pytest.fixture(scope="module")
def blend():
    """A UPR-Net that moves and mixes: what weights of the recipe make is no picture."""
    return built(blending(flow=-0.2))


@pytest.mark.parametrize("check", testing.checks(SPECS[0]), ids=lambda check: check.__name__)
def test_contract(check: testing.Check, blend) -> None:
    check(blend)


@pytest.mark.parametrize("check", [testing.contract.same_input_same_bytes, testing.contract.stages_equal_interpolate])
def test_contract_in_bfloat16_with_real_motion(check: testing.Check) -> None:
    check(model("base", "bf16"))


def test_none_is_for_commercial_use_nor_chosen_by_itself() -> None:
    assert [spec.name for spec in SPECS] == ["uprnet-base", "uprnet-large", "uprnet-llarge"]
    assert not any(spec.commercial for spec in SPECS)
    assert {spec.license for spec in SPECS} == {"CC-BY-NC-ND-4.0"}


def test_weights_that_do_not_fit_are_named() -> None:
    wrong = {**weights("base"), "synthesis_network.pred.bias": torch.zeros(4), "more": torch.zeros(1)}
    del wrong["synthesis_network.pred.weight"]
    with pytest.raises(WeightsError, match=re.escape("synthesis_network.pred.weight")) as raised:
        built(wrong)
    assert "more" in str(raised.value)
    assert "(4,)" in str(raised.value)
    with pytest.raises(WeightsError, match="not the weights of UPR-Net large"):
        built(weights("base"), "large")


def test_weights_in_half_are_cast_and_the_callers_stay_his_own() -> None:
    given = {key: value.half() for key, value in weights("base").items()}
    made = built(given)
    assert {value.dtype for value in made.net.state_dict().values()} == {torch.float32}
    own = weights("base")
    before = own["synthesis_network.pred.bias"].clone()
    made = built(own)
    with torch.no_grad():
        made.net.synthesis_network.pred.bias.fill_(7)
    assert torch.equal(own["synthesis_network.pred.bias"], before)


@pytest.mark.parametrize(
    ("size", "levels"),
    [(16, 1), (112, 1), (113, 2), (224, 2), (448, 3), (449, 4), (1280, 5), (1792, 5), (1920, 6), (3840, 7), (7168, 7)],
)
def test_levels_by_the_longer_side(size: int, levels: int) -> None:
    assert model("base").plan(16, size) == (levels, 0)
    assert model("base").plan(size, 16) == (levels, 0)


def test_levels_and_skipped_levels_as_asked() -> None:
    made = model("base").configured(levels=7, skipped_levels=2)
    assert made.plan(2160, 3840) == (7, 2)
    assert running(7, 2) == [6, 5, 4, 3, 2, 0]
    assert running(1, 1) == [0]
    assert model("base").configured(skipped_levels=3).plan(16, 200) == (2, 2)
    assert model("base").plan(2160, 3840) == (7, 0), "the original stays as it was"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "levels must be a whole number from 1 to 10, or None, got 0"),
        ({"levels": 2.5}, "got 2.5"),
        ({"levels": True}, "got True"),
        ({"levels": "3"}, "got '3'"),
        ({"skipped_levels": -1}, "skipped_levels must be a whole number from 0 to 10"),
        ({"levels": 3, "skipped_levels": 4}, "skipped_levels must be at most levels, got 4 of 3"),
    ],
)
def test_other_levels_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        model("base").configured(**options)


def test_features_that_do_not_fit_are_refused() -> None:
    made = model("base")
    with torch.inference_mode():
        wide, narrow = made.encode(torch.zeros(1, 3, 16, 40)), made.encode(torch.zeros(1, 3, 16, 16))
        deep = made.configured(levels=2).encode(torch.zeros(1, 3, 16, 16))
        with pytest.raises(ShapeError, match="1 of 40x16 on 1 levels and 1 of 16x16 on 1 levels"):
            made.relate(wide, narrow)
        with pytest.raises(ShapeError, match="on 1 levels and 1 of 16x16 on 2 levels"):
            made.relate(narrow, deep)


def test_explained_flow_and_mask() -> None:
    """Everything moves 4 px to the right from 0 to 1; the blend takes (1 - t) of frame 0 where both frames arrive."""
    made = built(blending(flow=4.0))
    with torch.inference_mode():
        motion = made.relate(*(made.encode(texture(48, 64, seed)) for seed in (1, 2)))
        shown = made.explain(motion, 0.25)
    inside = (slice(None), slice(None), slice(4, -4))
    assert torch.allclose(shown.flow_t0[inside], torch.tensor([-1.0, 0.0]).view(2, 1, 1), atol=1e-5)
    assert torch.allclose(shown.flow_t1[inside], torch.tensor([3.0, 0.0]).view(2, 1, 1), atol=1e-5)
    assert torch.allclose(shown.mask, torch.tensor(0.75))


@torch.inference_mode()
@pytest.mark.parametrize("variant", VARIANTS)
def test_strips_do_not_show(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole layers give what strips do, into which pictures of this size are not cut by themselves."""
    made = model(variant).configured(levels=2)
    monkeypatch.setattr(strips, "BUDGET", 1 << 40)
    whole = made.interpolate(*frames("odd"), 0.3)
    monkeypatch.setattr(strips, "_rows", lambda *args: 16)
    in_parts = made.interpolate(*frames("odd"), 0.3)
    assert (whole - in_parts).abs().max().item() <= 1e-5


@torch.inference_mode()
def test_strips_are_cut_where_layers_are_large() -> None:
    seen = []

    def make(part: Tensor) -> tuple[Tensor]:
        seen.append(part.shape[2])
        return (part[:, :, ::2] * 2,)

    image = torch.rand(1, 4, 400, 1000)
    (made,) = in_strips(make, [image], overlap=2, channels=40, align=2)
    assert torch.equal(made, image[:, :, ::2] * 2)
    assert len(seen) > 2
    assert max(seen) < 250


class Stage(torch.nn.Module):
    """One stage's tensor part, as an engine takes it."""

    def __init__(self, run) -> None:
        super().__init__()
        self.net = model("base").net
        self.run = run

    def forward(self, *tensors: Tensor):
        return self.run(self.net, *tensors)


def stages() -> dict[str, tuple[Stage, tuple[Tensor, ...]]]:
    """Of a pair of 64x128 on 2 levels, with the inputs of each."""
    with torch.no_grad():
        motion = model("base").configured(levels=2)
        made = motion.relate(*(motion.encode(image) for image in pair(64, 128)))
    levels = [
        part
        for features in (made.features0, made.features1)
        for level in features.levels
        for part in (level.full, level.half, level.quarter)
    ]
    quarters = levels[2::3]
    return {
        "encode": (Stage(lambda net, image: net.feat_pyramid(image)), (pair(64, 128)[0],)),
        "relate": (Stage(lambda net, *q: net.flows(q[:2], q[2:], 2, 0)), tuple(quarters)),
        "synthesize": (
            Stage(lambda net, t, *f: net.picture((f[2:5], f[5:8]), (f[8:11], f[11:]), f[:2], t)),
            (torch.tensor(0.3), *made.flows, *levels),
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


@pytest.mark.parametrize(
    ("variant", "precision"), [("base", "fp16"), ("base", "bf16"), ("large", "bf16"), ("llarge", "bf16")]
)
def test_lower_precisions_agree_as_the_spec_says(variant: str, precision: str) -> None:
    """PSNR against single precision at t = 1/2; recorded is the least of more cases (tests/measure/precision.py)."""
    whole = model(variant).configured(levels=3)
    lower = model(variant, precision).configured(levels=3)
    image0, image1 = frames("small")
    off = lower.interpolate(image0, image1).float() - whole.interpolate(image0, image1)
    found = -10 * off.pow(2).mean().log10().item()
    recorded = registry.known()[f"uprnet-{variant}"].agreement[precision]
    assert found >= recorded - 0.5
    first = registry.known()[f"uprnet-{variant}"].precisions[0]
    assert first != precision or recorded >= 50, "what is chosen without asking must agree to 50 dB"
    assert precision in registry.known()[f"uprnet-{variant}"].precisions


def test_positions_are_single_in_bfloat16() -> None:
    """Between equal images lies that image: at this width bfloat16 has a number for every 8th pixel only."""
    image = texture(16, 1920, seed=1).bfloat16()
    result = built(blending(), precision="bf16").configured(levels=2).interpolate(image, image)
    assert (result.float() - image.float()).abs().max() <= 2**-8  # one step of bfloat16 below 1
    flow = built(blending(flow=-0.5), precision="bf16").configured(levels=2)
    with torch.inference_mode():
        motion = flow.relate(flow.encode(image), flow.encode(image))
    assert motion.flows[-1].dtype == torch.float32
