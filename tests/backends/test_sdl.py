"""SDL keeps the contract of a model at each of its tasks; what a pair saves, precisions, sizes and traces."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from vsvfi.backends.sdl.network import SDLNet

from tests.backends.sdl import blending, built, frames, model, weights
from vsvfi import testing
from vsvfi.errors import NotExplainedError, OptionError, ShapeError, WeightsError
from vsvfi.padding import Padding, pad
from vsvfi.testing.pictures import pair, texture
from vsvfi.tiling import Tiled
from vsvfi.weights import registry

SPECS = {spec.name: spec for spec in registry.family("sdl")}
ONE_OF_EACH_TASK = ("sdl-vfi-psnr", "sdl-dog2dog-scale", "sdl-aging-scale", "sdl-style-transfer-arbitrary")


@pytest.fixture(scope="module")
def blends():
    """Of each task a model that mixes: what weights of the recipe make is no picture."""
    return {name: built(blending(SPECS[name].inputs), name) for name in ONE_OF_EACH_TASK}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, id=f"{name}-{check.__name__}")
        for name in ONE_OF_EACH_TASK
        for check in testing.checks(SPECS[name])
    ],
)
def test_contract(name: str, check: testing.Check, blends) -> None:
    check(blends[name])


@pytest.mark.parametrize("check", [testing.contract.same_input_same_bytes, testing.contract.stages_equal_interpolate])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_contract_with_real_weights(check: testing.Check, precision: str) -> None:
    check(model("sdl-vfi-psnr", precision))


def test_eleven_models_none_for_commercial_use() -> None:
    assert {spec.task for spec in SPECS.values()} == {"interpolate", "transition", "translate", "stylize"}
    assert len(SPECS) == 11
    assert not any(spec.commercial for spec in SPECS.values())
    assert {spec.license for spec in SPECS.values()} == {"LicenseRef-SDL-NC"}
    assert [name for name, spec in SPECS.items() if spec.inputs == 1] == [
        f"sdl-{what}-{kind}" for what in ("aging", "toonification") for kind in ("scale", "512")
    ]
    for name, spec in SPECS.items():
        assert str(spec.checkpoint).lower() == name.replace("-", "_") + ".pth"
        expected = {"512": (512, 512), "scale": (32, 512)}.get(name.rsplit("-", 1)[1])
        assert spec.square_sides == expected, name
    assert [name for name, spec in SPECS.items() if spec.timestep_range[0] < 0] == ["sdl-aging-scale"]


def test_weights_that_do_not_fit_are_named() -> None:
    wrong = {**weights(), "tail.0.bias": torch.zeros(4), "more": torch.zeros(1)}
    del wrong["up3.merge.0.weight"]
    with pytest.raises(WeightsError, match=re.escape("up3.merge.0.weight")) as raised:
        built(wrong)
    assert "more" in str(raised.value)
    assert "(4,)" in str(raised.value)
    with pytest.raises(WeightsError, match=r"not the weights of sdl-aging-scale: of another shape: head\.0\.weight"):
        built(weights(2), "sdl-aging-scale")


def test_weights_in_half_are_cast_and_the_callers_stay_his_own() -> None:
    made = built({key: value.half() for key, value in weights().items()})
    assert {value.dtype for value in made.net.state_dict().values()} == {torch.float32}
    own = weights()
    before = own["tail.0.bias"].clone()
    made = built(own)
    with torch.no_grad():
        made.net.tail[0].bias.fill_(7)
    assert torch.equal(own["tail.0.bias"], before)


def operations(call) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def test_a_fifth_of_the_work_is_done_once_a_pair() -> None:
    """The sheet of facts: of 93.6 GMAC at 448x256 and 1705.2 at 1920x1088, 21 % do not depend on t (365 of 1705.2)."""
    made = model()
    with torch.no_grad():
        features = [made.encode(image) for image in pair(256, 448)]
        motion = made.relate(*features)
    once = operations(lambda: made.relate(*features))
    each = operations(lambda: made.synthesize(motion, 0.3))
    assert once / (once + each) == pytest.approx(365 / 1705.2, abs=0.003)
    assert (once + each) / 2e9 == pytest.approx(93.6, abs=0.05)
    assert operations(lambda: made.encode(pair(256, 448)[0])) == 0


def test_a_pair_keeps_what_synthesis_needs_and_no_more() -> None:
    """Five levels: 32 channels at full size, 64 at half, to 512 at a sixteenth."""
    made = model()
    with torch.no_grad():
        motion = made.relate(*(made.encode(image) for image in pair(64, 96)))
    shapes = [tuple(level.shape) for level in motion.levels]
    assert shapes == [(1, 512, 4, 6), (1, 256, 8, 12), (1, 128, 16, 24), (1, 64, 32, 48), (1, 32, 64, 96)]


@torch.inference_mode()
def test_the_blending_weights_blend() -> None:
    """No mirrored, shifted or scaled picture: what the layers are told to do is what comes out, to the edge."""
    image0, image1 = texture(50, 70, 1), texture(50, 70, 2)
    mixed = built(blending()).interpolate(image0, image1, 0.3)
    assert (mixed - torch.lerp(image0, image1, 0.3)).abs().max() <= 1e-6
    face, square = built(blending(1), "sdl-aging-scale"), texture(64, 64, 3)
    for t in (-0.5, 0.0, 0.25, 1.0):
        expected = torch.lerp(square, 1 - square, t).clamp(0, 1)
        assert (face.interpolate(square, t=t) - expected).abs().max() <= 1e-6


@torch.inference_mode()
def test_tiles_leave_no_seam() -> None:
    image0, image1 = texture(150, 170, 1), texture(150, 170, 2)
    mixed = Tiled(built(blending()), 96, 32).interpolate(image0, image1, 0.3)
    assert (mixed - torch.lerp(image0, image1, 0.3)).abs().max() <= 1e-6


def test_frames_are_mirrored_with_their_edge() -> None:
    padded = pad(torch.arange(3.0).expand(1, 1, 2, 3), Padding(0, 0, 6, 5, "symmetric"))
    assert padded[0, 0, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1]
    assert torch.equal(padded, padded[:, :, :1].expand_as(padded))
    whole = torch.rand(1, 3, 32, 64)
    assert model().padded(whole).image is whole


def test_images_that_do_not_fit_are_refused() -> None:
    made = model()
    with torch.inference_mode():
        wide, narrow = made.encode(torch.zeros(1, 3, 16, 40)), made.encode(torch.zeros(2, 3, 16, 16))
        with pytest.raises(ShapeError, match="1 of 40x16 and 2 of 16x16"):
            made.relate(wide, narrow)
        with pytest.raises(NotExplainedError, match="sdl-vfi-psnr has no flow or mask to show"):
            made.explain(made.relate(wide, wide), 0.5)
    with pytest.raises(OptionError, match="sdl-vfi-psnr has no option 'scale'"):
        made.configured(scale=0.5)


@torch.inference_mode()
def test_one_image_is_read_once() -> None:
    """The network of one image sees the first alone, and pays for no other."""
    face = model("sdl-aging-scale")
    first, other = (face.encode(texture(32, 32, seed)) for seed in (1, 2))
    same, alone = face.relate(first, other), face.relate(first, first)
    assert all(map(torch.equal, same.levels, alone.levels))


@torch.inference_mode()
def test_t_counts_in_its_own_right() -> None:
    """Halves in time: nothing says that f(a, b, t) is f(b, a, 1 - t), and t reaches the picture."""
    image0, image1 = frames(64, 96, 2)
    there, back = model().interpolate(image0, image1, 0.25), model().interpolate(image1, image0, 0.75)
    assert (there - back).abs().mean() > 0.01
    assert (there - model().interpolate(image0, image1, 0.75)).abs().mean() > 0.01


@torch.inference_mode()
def test_t_is_single_in_bfloat16() -> None:
    """t = 0.3 is not taken for the nearest number that bfloat16 has, 0.30078."""
    lower = model("sdl-vfi-psnr", "bf16")
    motion = lower.relate(*(lower.encode(image.bfloat16()) for image in frames(64, 96, 2)))
    rounded = torch.tensor(0.3).bfloat16().item()
    assert rounded != 0.3
    assert not torch.equal(lower.synthesize(motion, 0.3), lower.synthesize(motion, rounded))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("name", ["sdl-vfi-psnr", "sdl-aging-scale"])
def test_lower_precisions_agree_as_the_spec_says(name: str, precision: str) -> None:
    """PSNR against single precision at t = 1/2; recorded is the least of more cases (tests/measure/precision.py)."""
    spec = SPECS[name]
    images = frames(128, 192 if spec.inputs == 2 else 128, 0)[: spec.inputs]
    lower, single = model(name, precision), model(name)
    low = lower.interpolate(*images).float()
    found = -10 * (low - single.interpolate(*images)).pow(2).mean().log10().item()
    recorded = spec.agreement[precision]
    assert found >= recorded - 0.5
    assert precision in spec.precisions
    assert spec.precisions[0] != precision or recorded >= 50, "what is chosen without asking must agree to 50 dB"


def test_gradients_reach_every_weight_and_change_nothing() -> None:
    """What is done in place where no gradient is wanted is not where one is."""
    net = SDLNet(2)
    net.load_state_dict(weights())
    x = torch.cat(frames(32, 32, 1), 1)
    trained = net.synthesize(net.relate(x), torch.tensor([0.5]))
    trained.mean().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in net.parameters())
    with torch.no_grad():
        plain = net.synthesize(net.relate(x), torch.tensor(0.5))
    torch.testing.assert_close(trained.detach(), plain, rtol=0, atol=1e-5)


class Stage(torch.nn.Module):
    """One stage's tensor part, as an engine takes it."""

    def __init__(self, run) -> None:
        super().__init__()
        self.net = model().net
        self.run = run

    def forward(self, *tensors: Tensor):
        return self.run(self.net, *tensors)


def stages() -> dict[str, tuple[Stage, tuple[Tensor, ...]]]:
    """Of a pair of 32x64, with the inputs of each."""
    x = torch.cat(pair(32, 64), 1)
    with torch.no_grad():
        levels = model().net.relate(x)
    return {
        "relate": (Stage(lambda net, x: net.relate(x)), (x,)),
        "synthesize": (Stage(lambda net, t, *levels: net.synthesize(levels, t)), (torch.tensor(0.3), *levels)),
    }


@pytest.mark.parametrize("stage", ["relate", "synthesize"])
def test_stages_are_traced_whole(stage: str) -> None:
    module, inputs = stages()[stage]
    with torch.no_grad():
        eager = module(*inputs)
        exported = torch.export.export(module, inputs).module()(*inputs)
        compiled = torch.compile(module, fullgraph=True, backend="eager")(*inputs)
    for traced in (exported, compiled):
        torch.testing.assert_close(traced, eager, rtol=0, atol=1e-5)
