"""GIMM-VFI: the contract, what is done once a pair, and where the published code stops or answers nonsense."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from vsvfi.backends.gimmvfi import flowformer, raft
from vsvfi.backends.gimmvfi.estimator import FlowEstimator
from vsvfi.backends.gimmvfi.model import GIMMVFI
from vsvfi.backends.gimmvfi.raft import Correlation

from vsvfi import testing
from vsvfi.cache import nbytes_of
from vsvfi.errors import OptionError, WeightsError
from vsvfi.executors.compiled import Compiled
from vsvfi.tiling import Tiled
from vsvfi.weights import registry

from .gimmvfi import CPU, ESTIMATORS, both, estimator, frames, model, weights

# Those that look at the picture want weights that were trained, and batches of odd sizes take minutes.
SEEN = (
    "spec_is_sane", "stages_equal_interpolate", "inputs_are_left_alone", "pictures_may_come_padded", "explanations_fit"
)  # fmt: skip
CONTRACT = [check for check in testing.checks(registry.known()["gimmvfi-r"]) if check.__name__ in SEEN]


@pytest.mark.slow
@both
@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_the_contract(check: testing.Check, letter: str) -> None:
    check(model(letter))


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("check", testing.checks(registry.known()["raft-gimm"]), ids=lambda check: check.__name__)
def test_the_estimators_contract(check: testing.Check, name: str) -> None:
    check(estimator(name))


@both
def test_flow_is_found_once_a_pair(monkeypatch, letter: str) -> None:
    calls: list[str] = []

    def counted(name: str, function):
        def call(*arguments, **options):
            calls.append(name)
            return function(*arguments, **options)

        return call

    net = model(letter).net
    monkeypatch.setattr(net.flow_estimator, "flow", counted("flow", net.flow_estimator.flow))
    monkeypatch.setattr(net.flow_estimator, "context", counted("context", net.flow_estimator.context))
    monkeypatch.setattr(raft.correlation, "all_pairs", counted("volume", raft.correlation.all_pairs))
    with torch.inference_mode():
        motion = model(letter).relate(*(model(letter).encode(image) for image in frames(128, 128)))
        for t in (0.25, 0.5, 0.75):
            model(letter).synthesize(motion, t)
    assert calls.count("context") == 2
    assert calls.count("flow") == 2, "once each way"
    assert calls.count("volume") == 2, "one for both directions of the estimator, one for synthesis"


@both
def test_correlations_on_demand_give_the_same_frame(monkeypatch, letter: str) -> None:
    (image0, image1), made = frames(128, 160), model(letter)
    whole = made.interpolate(image0, image1, 0.5)
    monkeypatch.setattr(raft, "LARGEST_VOLUME", 0)
    with torch.inference_mode():
        motion = made.relate(made.encode(image0), made.encode(image1))
        assert not motion.found.whole
        frame = made.synthesize(motion, 0.5)
    assert (frame - whole).abs().max() <= 1e-4


def test_places_in_chunks_give_the_same_tokens(monkeypatch) -> None:
    net = model("f").net.flow_estimator
    with torch.inference_mode():
        context0, context1 = (net.context(image) for image in frames(128, 160))
        found = Correlation.of(context0.fmap, context1.fmap, levels=1)
        whole = net.memory_encoder(found, context0.eighth, back=True)
        monkeypatch.setattr(flowformer, "_CHUNK", 100 * 4 * 16 * 20)
        chunked = net.memory_encoder(found, context0.eighth, back=True)
    assert torch.allclose(chunked, whole, atol=1e-4)


def test_correlations_row_by_row(monkeypatch) -> None:
    f0, f1 = torch.rand(2, 32, 8, 9), torch.rand(2, 32, 8, 9)
    for back in (False, True):
        whole = Correlation.of(f0, f1, levels=1).rows(10, 30, back=back)
        with monkeypatch.context() as patch:
            patch.setattr(raft, "LARGEST_VOLUME", 0)
            demanded = Correlation.of(f0, f1, levels=1).rows(10, 30, back=back)
        assert whole.shape == (2, 20, 8, 9)
        assert torch.allclose(demanded, whole, atol=1e-6)


def test_one_volume_serves_both_directions() -> None:
    f0, f1 = torch.rand(1, 16, 16, 20), torch.rand(1, 16, 16, 20)
    seen, turned = Correlation.of(f0, f1), Correlation.of(f1, f0)
    at = torch.rand(1, 2, 16, 20) * 16
    assert torch.allclose(seen.at(at, back=True), turned.at(at), atol=1e-5)
    assert torch.allclose(seen.at(at), turned.at(at, back=True), atol=1e-5)


@both
@torch.inference_mode()
def test_equal_frames_have_no_motion_to_divide_by(letter: str) -> None:
    """The published code divides by the largest motion."""
    zero = torch.zeros(1, 2, 128, 128)
    latent = model().net.gimm.latent(zero, zero)
    assert float(latent.scale) == 1.0
    assert model().net.gimm(latent, torch.tensor(0.5)).isfinite().all()
    image, _ = frames(128, 128)
    assert model(letter).interpolate(image, image, 0.5).isfinite().all()


@both
@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (40, 150)], ids=str)
def test_small_frames_are_padded_instead_of_failing(size: tuple[int, int], letter: str) -> None:
    """Published: an assertion, or NaN, below 128 pixels a side."""
    made = model(letter).interpolate(*frames(*size), 0.5)
    assert made.shape == (1, 3, *size)
    assert made.isfinite().all()


@torch.inference_mode()
def test_near_the_ends_of_the_interval() -> None:
    """What is looked up lies at flow / t: published, t = 0 and 1 divide by zero."""
    motion = model().relate(*(model().encode(image) for image in frames(128, 128)))
    for t in (1e-6, 1 - 1e-6):
        assert model().synthesize(motion, t).isfinite().all()


def test_a_scale_that_is_no_whole_share_works() -> None:
    """Published, 0.3 ends in an error of shapes."""
    scaled = model().configured(scale=0.3)
    assert scaled.small(256, 384) == (128, 128)
    assert scaled.small(1088, 1920) == (336, 576)
    assert model().small(256, 384) == (256, 384)
    assert model().configured(scale=0.5).small(1088, 1920) == (544, 960)
    assert scaled.interpolate(*frames(200, 264), 0.5).shape == (1, 3, 200, 264)
    assert model().small(736, 1280) == (736, 1280)
    assert model().small(1088, 2048) == (544, 1024), "the authors' own for 2K"
    assert model().small(2176, 4096) == (544, 1024), "and for 4K"
    assert model().configured(scale=1.0).small(1088, 2048) == (1088, 2048)
    with pytest.raises(OptionError, match=r"scale must be from 0\.125 to 1 for gimmvfi-r"):
        model().configured(scale=1.5)


@both
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_lower_precisions_agree_as_the_spec_says(precision: str, letter: str) -> None:
    """PSNR against single precision at t = 1/2; recorded is the least of more cases (tests/measure/precision.py)."""
    single, lower, spec = model(letter), model(letter, precision), registry.known()[f"gimmvfi-{letter}"]
    images = frames(128, 192)
    made = lower.interpolate(*images, 0.5)
    assert made.dtype == lower.dtype
    found = -10 * (made.float() - single.interpolate(*images, 0.5)).pow(2).mean().log10().item()
    recorded = spec.agreement[precision]
    assert found >= recorded - 1.5
    assert precision in spec.precisions
    assert spec.precisions[0] != precision or recorded >= 50, "what is chosen without asking must agree to 50 dB"


def test_flowformer_is_given_pictures_in_single_precision() -> None:
    """Half a value of 8 bits, which half precision takes from a picture, moves its flow."""
    assert model("f", "bf16").image_dtype == torch.float32
    assert Tiled(model("f", "bf16"), 256, 16).image_dtype == torch.float32
    assert model("r", "bf16").image_dtype == torch.bfloat16
    assert {value.dtype for value in model("r", "bf16").net.gimm.state_dict().values()} == {torch.float32}


def test_caches_can_count_what_is_kept() -> None:
    with torch.inference_mode():
        features = model().encode(frames(128, 128)[0])
    pixels = 128 * 128
    per_pixel = 3 + 3 + 64 + 128 / 16 + 96 / 16 + (256 + 256 + 128 + 128 + 128) / 64
    # Slices of one tensor keep all of it: the context's two halves lie in one.
    assert nbytes_of(features) == pytest.approx(4 * pixels * per_pixel, rel=0.02)


def test_other_weights_are_refused() -> None:
    spec = registry.known()["gimmvfi-r"]
    with pytest.raises(WeightsError, match="these are not the weights of gimmvfi-r: it lacks alpha_v"):
        GIMMVFI(spec, CPU, torch.float32, {k: v for k, v in weights().items() if k != "alpha_v"})
    with pytest.raises(WeightsError, match="these are not the weights of raft-gimm"):
        FlowEstimator(registry.known()["raft-gimm"], CPU, torch.float32, {"fnet.conv1.bias": torch.zeros(64)})


def test_of_the_norm_that_is_registered_twice_the_second_counts() -> None:
    changed = dict(weights())
    key = "flow_estimator.cnet.layer2.0.norm3.weight"
    changed[key] = changed[key] * 7
    other = GIMMVFI(registry.known()["gimmvfi-r"], CPU, torch.float32, changed)
    mine, theirs = (net.net.flow_estimator.cnet.state_dict() for net in (model(), other))
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_makes_no_frames(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} finds flow and makes no images; relate gives its flow01"):
        estimator(name).interpolate(*frames(128, 128), 0.5)


class Stage(torch.nn.Module):
    """A frame's features, and motion at t: what runs once a frame, and once an in-between."""

    def __init__(self, letter: str) -> None:
        super().__init__()
        self.net = model(letter).net

    def forward(self, image: Tensor, code: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.flow_estimator.context(image).fmap, self.net.gimm.hyponet(code, t)


@both
def test_it_traces_whole(letter: str) -> None:
    stage, inputs = Stage(letter), (torch.rand(1, 3, 64, 64), torch.rand(1, 32, 24, 24), torch.tensor(0.5))
    run = torch.compile(stage, fullgraph=True, backend="eager")
    with torch.no_grad():
        for traced, plain in zip(run(*inputs), stage(*inputs), strict=True):
            assert torch.equal(traced, plain)


@pytest.mark.slow
def test_its_stages_compile() -> None:
    torch._dynamo.reset()
    image0, image1 = frames(128, 128)
    made = Compiled(model(), "aot_eager").interpolate(image0, image1, 0.3)
    assert (made - model().interpolate(image0, image1, 0.3)).abs().max() < 1e-4
