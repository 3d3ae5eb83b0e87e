"""GIMM-VFI, RAFT and FlowFormer against published answers: part by part, whole, at odd sizes, in batches, scaled."""

from __future__ import annotations

from functools import cache
from math import prod, sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor
from vsvfi.backends.gimmvfi import checkpoint, synthesis
from vsvfi.backends.gimmvfi.flowformer import raw
from vsvfi.backends.gimmvfi.model import GIMMVFI, GIMMMotion
from vsvfi.backends.gimmvfi.raft import Correlation, grid

from tests.golden import recipe
from vsvfi.weights import registry

from .gimmvfi import ESTIMATORS, HERE, IMAGE, PIXELS, answers, both, estimator, frames, model, off, shapes, weights


@pytest.fixture(scope="module")
def whole(shared: Path) -> Path:
    return shared / "golden/gimmvfi"


@cache
def motion(letter: str, height: int = 128, width: int = 192, scale: float = 1.0) -> GIMMMotion:
    made = model(letter).configured(scale=scale)
    with torch.inference_mode():
        return made.relate(*(made.encode(image) for image in frames(height, width)))


def flows(of: GIMMMotion) -> Tensor:
    """(uv, direction, h, w), as the answers have them."""
    return torch.stack([of.latent.flow01[0], of.latent.flow10[0]], 1)


OFFICIAL = {
    "gimmvfi-r": "gimmvfi_r", "gimmvfi-r-p": "gimmvfi_r", "gimmvfi-f": "gimmvfi_f", "gimmvfi-f-p": "gimmvfi_f",
    "raft-gimm": "raft_things", "flowformer-gimm": "flowformer_sintel",
}  # fmt: skip
"""Model -> the list of its file's keys."""


@pytest.mark.parametrize("name", OFFICIAL)
def test_keys_and_shapes_are_the_official_ones(name: str) -> None:
    found = checkpoint.expected(registry.known()[name])
    assert found == {key.removeprefix("module."): shape for key, shape in shapes(OFFICIAL[name]).items()}


@both
@torch.inference_mode()
def test_the_answers_in_the_clone(letter: str) -> None:
    known, found, made = answers(HERE, f"gimmvfi_{letter}"), motion(letter), model(letter)
    assert off(flows(found)[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS[letter]
    for t in (25, 50, 75):
        assert off(made.synthesize(found, t / 100)[0, :, ::4, ::4], known[f"img_0{t}"]) <= IMAGE[letter]
    flow_t = made.net.gimm(found.latent, torch.tensor(0.5))
    assert off(flow_t[0, :, ::4, ::4], known["flowt_050_sub2"]) <= PIXELS[letter]


@torch.inference_mode()
def test_one_call_gives_what_the_stages_give() -> None:
    once = model().interpolate(*frames(128, 192), 0.25)
    assert torch.equal(once, model().synthesize(motion("r"), 0.25))


@both
@torch.inference_mode()
def test_whole_images(whole: Path, letter: str) -> None:
    known, made, found = answers(whole, f"gimmvfi_{letter}"), model(letter), motion(letter)
    for t in (25, 50, 75):
        assert off(made.synthesize(found, t / 100)[0], known[f"img_0{t}"]) <= IMAGE[letter]
    swapped = made.interpolate(*reversed(frames(128, 192)), 0.5)
    assert off(swapped[0, :, ::4, ::4], known["img_swapped_050_sub4"]) <= IMAGE[letter]
    for k, metric in enumerate((found.latent.metric0, found.latent.metric1)):
        assert off(metric[0, :, ::4, ::4], known[f"metric{k}_sub4"]) <= IMAGE[letter]
    fields = made._fields(found, 0.5)
    for k, flow in enumerate((fields.flow0, fields.flow1)):
        assert off(flow[0].view(3, 2, 128, 192)[..., ::4, ::4], known[f"flowt{k}_1_050_sub4"]) <= PIXELS[letter]


@both
@torch.inference_mode()
def test_an_odd_size_and_a_batch(whole: Path, letter: str) -> None:
    """Published, FlowFormer gives the samples of a batch each other's context; ours are equal to those alone."""
    known, made, odd = answers(whole, f"gimmvfi_{letter}_odd"), model(letter), motion(letter, 117, 203)
    assert off(flows(odd)[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS[letter]
    for t in (25, 50):
        assert off(made.synthesize(odd, t / 100)[0], known[f"img_0{t}"]) <= IMAGE[letter]
    batch = known["batch2_alone_img_sub2" if letter == "f" else "batch2_img_sub2"]
    pairs = frames(128, 160, seed=1, n=2)
    for k, each in enumerate((0.25, 0.75)):
        assert off(made.interpolate(*pairs, each)[k, :, ::2, ::2], batch[k]) <= IMAGE[letter]


@both
@torch.inference_mode()
def test_at_half_the_scale(whole: Path, letter: str) -> None:
    known, half = answers(whole, f"gimmvfi_{letter}_ds"), motion(letter, 250, 380, 0.5)
    made = model(letter).configured(scale=0.5)
    assert off(flows(half)[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS[letter]
    image = made.synthesize(half, 0.5)[0]
    assert off(image[:, ::2, ::2], known["img_050_sub2"]) <= IMAGE[letter]
    assert off(image[:, 90:154, 150:214], known["img_050_crop"]) <= IMAGE[letter]


@torch.inference_mode()
def test_parts_of_flowformer(whole: Path) -> None:
    known, net = answers(whole, "gimmvfi_f_parts"), model("f").net.flow_estimator
    contexts = [net.context(image) for image in frames(128, 192)]
    for name, feature in (("cfeat_quarter", contexts[0].quarter), ("cfeat_eighth", contexts[0].eighth)):
        assert off(feature[0, ::16], known[f"est_{name}_ch16"]) <= IMAGE["r"]
    assert off(contexts[0].fmap[0, ::16], known["est_ffeat_ch16"]) <= IMAGE["r"]
    found = Correlation.of(contexts[0].fmap, contexts[1].fmap, levels=1)
    cost = raw(found.rows(0, 16 * 24), found)[0, ::16]
    assert off(cost, known["est_cost_maps_s16"]) <= 1e-6 * float(cost.abs().max())
    memory = net.memory_encoder(found, contexts[0].eighth, back=False)
    assert off(memory[0, ::16], known["est_cost_memory_s16"]) <= IMAGE["r"]
    once = net.flow(contexts[0], found, iterations=1)
    assert off(once[0, :, ::2, ::2], known["est_flow_iters1"]) <= IMAGE["r"]
    assert off(net.flow(contexts[0], found)[0], known["est_flow_iters32"]) <= PIXELS["f"]


def given(name: str, shape: tuple[int, ...], gain: float = 1.0) -> Tensor:
    return torch.from_numpy(recipe.fill(f"input.{name}", shape, gain * sqrt(prod(shape[1:]))))


@torch.inference_mode()
def test_parts(whole: Path) -> None:
    known, net = answers(whole, "gimmvfi_r_parts"), model().net
    first, second = frames(128, 192)
    contexts = [net.flow_estimator.context(image) for image in (first, second)]
    found = Correlation.of(contexts[0].fmap, contexts[1].fmap)
    assert off(contexts[0].fmap[0, ::16], known["est_fmap_ch16"]) <= IMAGE["r"]
    once = net.flow_estimator.flow(contexts[0], found, iterations=1)
    assert off(once[0, :, ::2, ::2], known["est_flow_iters1"]) <= PIXELS["r"]
    assert off(net.flow_estimator.flow(contexts[0], found)[0], known["est_flow_iters20"]) <= PIXELS["r"]
    assert off(net.gimm.cnn_encoder(given("cnn_encoder", (1, 2, 24, 32)))[0], known["cnn_encoder"]) <= IMAGE["r"]
    assert off(net.gimm.res_conv(given("res_conv", (1, 64, 16, 20)))[0], known["res_conv"]) <= IMAGE["r"]
    code = given("pixel_latent", (1, 40, 56, 32)).permute(0, 3, 1, 2)
    assert off(net.gimm.hyponet(code, torch.tensor(0.3))[0].permute(1, 2, 0), known["hyponet"]) <= IMAGE["r"]
    images, t = (2 * first - 1, 2 * second - 1), 0.3
    flow_t = known["flow_t_input"][None]
    flow0, flow1 = (synthesis.resized(flow, 0.25) * 0.25 for flow in (-t * flow_t, (1 - t) * flow_t))
    decoders = [
        synthesis.Frame(
            images[k],
            net.synthesis.amt_init_decoder.upsample(given(f"feat8_{k}", (1, 256, 16, 24))),
            net.synthesis.amt_final_decoder.upsample(given(f"feat4_{k}", (1, 128, 32, 48))),
        )
        for k in (0, 1)
    ]
    feature, mask = given("upd_net", (1, 128, 32, 48)), given("mask", (1, 1, 32, 48))
    fields = net.synthesis.final(decoders[0], decoders[1], feature, torch.cat([flow0, flow1], 1), mask)
    for name, field in (("flow0", fields.flow0), ("flow1", fields.flow1)):
        assert off(field[0, :, ::4, ::4], known[f"final_{name}_sub4"]) <= PIXELS["r"]
    for name, field in (("mask", fields.mask), ("res", fields.residual)):
        assert off(field[0, :, ::4, ::4], known[f"final_{name}_sub4"]) <= IMAGE["r"]
    correlated = Correlation.of(given("fmap0", (1, 256, 16, 24)), given("fmap1", (1, 256, 16, 24)))
    start = grid(1, 16, 24, feature)
    for k in (0, 1):
        seen = correlated.at(start + given(f"corr_d{k}", (1, 2, 16, 24), 2), back=bool(k))
        assert off(seen[0, ::9], known[f"corr_lookup_{k}_ch9"]) <= IMAGE["r"]
    whole_fields = net.synthesis.fields(decoders[0], decoders[1], correlated, flow_t, torch.tensor(t))
    assert off(net.synthesis.combined(*images, whole_fields)[0], known["synthesis_img"]) <= IMAGE["r"]


@torch.inference_mode()
@pytest.mark.parametrize("letter", ["a", "b"])
def test_the_implicit_motion_alone(whole: Path, letter: str) -> None:
    known = answers(whole, "gimm")
    gimm = model().net.gimm
    latent = gimm.latent(known[f"{letter}_flow01"][None], known[f"{letter}_flow10"][None])
    assert float(latent.scale) == pytest.approx(float(known[f"{letter}_scaler"]), rel=1e-6)
    for k, metric in enumerate((latent.metric0, latent.metric1)):
        assert off(metric[0], known[f"{letter}_metric{k}"]) <= IMAGE["r"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_alone_is_the_one_inside(name: str) -> None:
    alone = estimator(name)
    with torch.inference_mode():
        found = alone.relate(*(alone.encode(image) for image in frames(128, 192)))
    inside = motion(ESTIMATORS[name]).latent
    assert torch.equal(found.flow01, inside.flow01)
    assert torch.equal(found.flow10, inside.flow10)


def test_a_change_of_the_weights_shows() -> None:
    """One in a hundred, in one layer: the tests above can fail."""
    changed = dict(weights())
    changed["amt_update4_low.convc1.weight"] = changed["amt_update4_low.convc1.weight"] * 1.01
    other = GIMMVFI(registry.known()["gimmvfi-r"], torch.device("cpu"), torch.float32, changed)
    with torch.inference_mode():
        made = other.synthesize(motion("r"), 0.5)[0, :, ::4, ::4]
    assert off(made, answers(HERE, "gimmvfi_r")["img_050"]) > 2 * IMAGE["r"]
