"""GIMM-VFI-R and RAFT against the published code's answers: part by part, whole, at odd sizes, in batches, scaled."""

from __future__ import annotations

from functools import cache
from math import prod, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vsvfi.backends.gimmvfi import checkpoint, synthesis
from vsvfi.backends.gimmvfi.model import GIMMMotion
from vsvfi.backends.gimmvfi.raft import Correlation, grid

from tests.golden import recipe
from vsvfi.weights import registry

from .gimmvfi import FACTS, HERE, estimator, frames, model, shapes, weights

IMAGE, PIXELS = 1e-4, 1e-3
"""Of images in [0, 1], and of flows."""


@cache
def answers(folder: Path, name: str) -> dict[str, Tensor]:
    with np.load(folder / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key].astype(np.float32)) for key in file.files}


@pytest.fixture(scope="module")
def whole(shared: Path) -> Path:
    return shared / "golden/gimmvfi"


@cache
def motion(height: int = 128, width: int = 192, scale: float = 1.0) -> GIMMMotion:
    made = model().configured(scale=scale)
    with torch.inference_mode():
        return made.relate(*(made.encode(image) for image in frames(height, width)))


def flows(of: GIMMMotion) -> Tensor:
    """(uv, direction, h, w), as the answers have them."""
    return torch.stack([of.latent.flow01[0], of.latent.flow10[0]], 1)


def off(ours: Tensor, answer: Tensor) -> float:
    """What 99.9 % of the values are within: where a splat's coverage ends, the published operator jumps."""
    assert ours.shape == answer.shape
    return float((ours - answer).abs().flatten().double().quantile(0.999))


@pytest.mark.parametrize("name", ["gimmvfi-r", "gimmvfi-r-p", "raft-gimm"])
def test_keys_and_shapes_are_the_official_ones(name: str) -> None:
    found = checkpoint.expected(registry.known()[name])
    known = shapes("raft_things" if name == "raft-gimm" else "gimmvfi_r")
    assert found == {key.removeprefix("module."): shape for key, shape in known.items()}


@torch.inference_mode()
def test_the_answers_in_the_clone() -> None:
    known = answers(HERE, "gimmvfi_r")
    assert off(flows(motion())[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS
    for t in (25, 50, 75):
        assert off(model().synthesize(motion(), t / 100)[0, :, ::4, ::4], known[f"img_0{t}"]) <= IMAGE
    flow_t = model().net.gimm(motion().latent, torch.tensor(0.5))
    assert off(flow_t[0, :, ::4, ::4], known["flowt_050_sub2"]) <= PIXELS


@torch.inference_mode()
def test_one_call_gives_what_the_stages_give() -> None:
    once = model().interpolate(*frames(128, 192), 0.25)
    assert torch.equal(once, model().synthesize(motion(), 0.25))


@torch.inference_mode()
def test_whole_images(whole: Path) -> None:
    known = answers(whole, "gimmvfi_r")
    for t in (25, 50, 75):
        assert off(model().synthesize(motion(), t / 100)[0], known[f"img_0{t}"]) <= IMAGE
    swapped = model().interpolate(*reversed(frames(128, 192)), 0.5)
    assert off(swapped[0, :, ::4, ::4], known["img_swapped_050_sub4"]) <= IMAGE
    latent = motion().latent
    for k, metric in enumerate((latent.metric0, latent.metric1)):
        assert off(metric[0, :, ::4, ::4], known[f"metric{k}_sub4"]) <= IMAGE
    fields = model()._fields(motion(), 0.5)
    for k, flow in enumerate((fields.flow0, fields.flow1)):
        assert off(flow[0].view(3, 2, 128, 192)[..., ::4, ::4], known[f"flowt{k}_1_050_sub4"]) <= PIXELS


@torch.inference_mode()
def test_an_odd_size_and_a_batch(whole: Path) -> None:
    known = answers(whole, "gimmvfi_r_odd")
    odd = motion(117, 203)
    assert off(flows(odd)[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS
    for t in (25, 50):
        assert off(model().synthesize(odd, t / 100)[0], known[f"img_0{t}"]) <= IMAGE
    both = frames(128, 160, seed=1, n=2)
    for k, each in enumerate((0.25, 0.75)):
        made = model().interpolate(*both, each)
        assert off(made[k, :, ::2, ::2], known["batch2_img_sub2"][k]) <= IMAGE


@torch.inference_mode()
def test_at_half_the_scale(whole: Path) -> None:
    known, half = answers(whole, "gimmvfi_r_ds"), motion(250, 380, 0.5)
    made = model().configured(scale=0.5)
    assert off(flows(half)[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS
    image = made.synthesize(half, 0.5)[0]
    assert off(image[:, ::2, ::2], known["img_050_sub2"]) <= IMAGE
    assert off(image[:, 90:154, 150:214], known["img_050_crop"]) <= IMAGE


def given(name: str, shape: tuple[int, ...], gain: float = 1.0) -> Tensor:
    return torch.from_numpy(recipe.fill(f"input.{name}", shape, gain * sqrt(prod(shape[1:]))))


@torch.inference_mode()
def test_parts(whole: Path) -> None:
    known, net = answers(whole, "gimmvfi_r_parts"), model().net
    first, second = frames(128, 192)
    contexts = [net.flow_estimator.context(image) for image in (first, second)]
    found = Correlation.of(contexts[0].fmap, contexts[1].fmap)
    assert off(contexts[0].fmap[0, ::16], known["est_fmap_ch16"]) <= IMAGE
    once = net.flow_estimator.flow(contexts[0], found, iterations=1)
    assert off(once[0, :, ::2, ::2], known["est_flow_iters1"]) <= PIXELS
    assert off(net.flow_estimator.flow(contexts[0], found)[0], known["est_flow_iters20"]) <= PIXELS
    assert off(net.gimm.cnn_encoder(given("cnn_encoder", (1, 2, 24, 32)))[0], known["cnn_encoder"]) <= IMAGE
    assert off(net.gimm.res_conv(given("res_conv", (1, 64, 16, 20)))[0], known["res_conv"]) <= IMAGE
    code = given("pixel_latent", (1, 40, 56, 32)).permute(0, 3, 1, 2)
    assert off(net.gimm.hyponet(code, torch.tensor(0.3))[0].permute(1, 2, 0), known["hyponet"]) <= IMAGE
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
        assert off(field[0, :, ::4, ::4], known[f"final_{name}_sub4"]) <= PIXELS
    for name, field in (("mask", fields.mask), ("res", fields.residual)):
        assert off(field[0, :, ::4, ::4], known[f"final_{name}_sub4"]) <= IMAGE
    correlated = Correlation.of(given("fmap0", (1, 256, 16, 24)), given("fmap1", (1, 256, 16, 24)))
    start = grid(1, 16, 24, feature)
    for k in (0, 1):
        seen = correlated.at(start + given(f"corr_d{k}", (1, 2, 16, 24), 2), back=bool(k))
        assert off(seen[0, ::9], known[f"corr_lookup_{k}_ch9"]) <= IMAGE
    whole_fields = net.synthesis.fields(decoders[0], decoders[1], correlated, flow_t, torch.tensor(t))
    assert off(net.synthesis.combined(*images, whole_fields)[0], known["synthesis_img"]) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("letter", ["a", "b"])
def test_the_implicit_motion_alone(whole: Path, letter: str) -> None:
    known = answers(whole, "gimm")
    gimm = model().net.gimm
    latent = gimm.latent(known[f"{letter}_flow01"][None], known[f"{letter}_flow10"][None])
    assert float(latent.scale) == pytest.approx(float(known[f"{letter}_scaler"]), rel=1e-6)
    for k, metric in enumerate((latent.metric0, latent.metric1)):
        assert off(metric[0], known[f"{letter}_metric{k}"]) <= IMAGE


def test_raft_alone_is_raft_inside() -> None:
    image0, image1 = frames(128, 192)
    with torch.inference_mode():
        found = estimator().relate(estimator().encode(image0), estimator().encode(image1))
    assert torch.equal(found.flow01, motion().latent.flow01)
    assert torch.equal(found.flow10, motion().latent.flow10)


def test_a_change_of_the_weights_shows() -> None:
    """One in a hundred, in one layer: the tests above can fail."""
    from vsvfi.backends.gimmvfi.model import GIMMVFI

    changed = dict(weights())
    changed["amt_update4_low.convc1.weight"] = changed["amt_update4_low.convc1.weight"] * 1.01
    other = GIMMVFI(registry.known()["gimmvfi-r"], torch.device("cpu"), torch.float32, changed)
    with torch.inference_mode():
        made = other.synthesize(motion(), 0.5)[0, :, ::4, ::4]
    assert off(made, answers(HERE, "gimmvfi_r")["img_050"]) > 2 * IMAGE
    assert FACTS["commit"]
