"""`flow` passes the conformance suite; a model that breaks a promise fails the check named after it."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import types
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import torch

import vsvfi
from vsvfi import plugins, testing
from vsvfi.frames.planes import Planes
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion, Task
from vsvfi.padding import Padded, Padding
from vsvfi.tiling import Tiled

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def flow() -> Model:
    return vsvfi.load("flow", device="cpu")


@pytest.mark.parametrize("check", testing.checks(plugins.spec("flow")), ids=lambda check: check.__name__)
def test_flow(check: testing.Check, flow: Model) -> None:
    check(flow)


@pytest.mark.parametrize("check", testing.checks(plugins.spec("flow")), ids=lambda check: check.__name__)
def test_flow_in_tiles(check: testing.Check, flow: Model) -> None:
    check(Tiled(flow, 64, 16))


SPEC = ModelSpec(
    name="good", family="test", variant="plain", summary="a blend", license="MIT", commercial=True, source="here",
    precisions=("fp32", "fp16"), layout="planes", scales=(0.5, 2.0), parallel=True,
)  # fmt: skip


@dataclass(frozen=True)
class Images(Features, Motion):
    images: tuple[Any, ...]


class Good(Model):
    """A blend that keeps every promise; the models below each break one."""

    facts = SPEC

    def __init__(self, device: torch.device = CPU, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(self.facts, device, dtype)

    def encode(self, image):
        return Images((image,))

    def relate(self, features0, features1):
        return Images(features0.images + features1.images)

    def synthesize(self, motion, t):
        first, second = motion.images
        if isinstance(first, torch.Tensor):
            return self.image(first, second, t)
        return dataclasses.replace(first, samples=tuple(map(self.plane, first.data, second.data)))

    def image(self, first, second, t):
        return torch.lerp(first, second, t)

    def plane(self, first, second):
        mixed = (first.float() + second.float()) / 2
        return (mixed if first.dtype.is_floating_point else mixed.round()).to(first.dtype)

    def explain(self, motion, t):
        height, width = motion.images[0].shape[-2:]
        return Explanation(torch.zeros(2, height, width), torch.zeros(2, height, width), torch.ones(1, height, width))


class BadSpec(Good):
    facts = dataclasses.replace(SPEC, summary="")


class FirstName(Good):
    facts = dataclasses.replace(SPEC, name="Good Model")


class Even(Good):
    """Answers in even sizes only."""

    def image(self, first, second, t):
        h, w = first.shape[-2:]
        return super().image(first, second, t)[..., : h // 2 * 2, : w // 2 * 2]


class Overshoots(Good):
    def image(self, first, second, t):
        return super().image(first, second, t) * 1.5


class Mixes(Good):
    """Images of a batch see each other."""

    def image(self, first, second, t):
        return super().image(first, second, t).mean(0, keepdim=True).expand_as(first)


class Raw(Good):
    """Reads memory as if it were compact."""

    def encode(self, image):
        if isinstance(image, Planes):
            return super().encode(image)
        return Images((torch.as_strided(image, image.shape, image.new_empty(image.shape).contiguous().stride()),))


class SplitDiffers(Good):
    def interpolate(self, image0, image1=None, t=0.5, **options):
        return super().interpolate(image0, image1, t).mul(0.99)


class Remembers(Good):
    """Adds a little to each answer after the first."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.calls = itertools.count()

    def image(self, first, second, t):
        return super().image(first, second, t) * 0.999 ** next(self.calls)


class OneThread(Good):
    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.thread = threading.get_ident()

    def image(self, first, second, t):
        return super().image(first, second, t) * (1 if threading.get_ident() == self.thread else 0.5)


class WritesImages(Good):
    def encode(self, image):
        if isinstance(image, torch.Tensor):
            image.clamp_(0.2, 0.8)
        else:
            image.data[0][0, 0] += 1
        return super().encode(image)


class WritesFeatures(Good):
    def encode(self, image):
        return Images((image.clone() if isinstance(image, torch.Tensor) else image,))

    def image(self, first, second, t):
        return first.lerp_(second, t)


class OneBuffer(Good):
    """Every answer is in the same memory."""

    def image(self, first, second, t):
        if getattr(self, "buffer", first.new_empty(0)).shape != first.shape:
            self.buffer = torch.empty_like(first)
        torch.lerp(first, second, t, out=self.buffer)
        return self.buffer.add_(torch.rand(()) * 1e-3)


class Backwards(Good):
    def image(self, first, second, t):
        return torch.lerp(second, first, t)


class Holds(Good):
    def image(self, first, second, t):
        return first


class Moves(Good):
    """Off by some pixels, as a wrong crop after padding would be."""

    def image(self, first, second, t):
        return super().image(first, second, t).roll(4, -1)


class TakesAnything(Good):
    def interpolate(self, image0, image1=None, t=0.5, **options):
        return image0


class TakesAnyOption(Good):
    def configured(self, **options):
        return self


class TakesAnyScale(Good):
    def configured(self, **options):
        return super().configured(**{k: v for k, v in options.items() if k != "scale"})


class BigMask(Good):
    def explain(self, motion, t):
        good = super().explain(motion, t)
        return dataclasses.replace(good, mask=good.mask * 255)


class SmallFlow(Good):
    def explain(self, motion, t):
        good = super().explain(motion, t)
        return dataclasses.replace(good, flow_t1=good.flow_t1[:, ::2, ::2])


class TakesPaddingForPicture(Good):
    def padding(self, height, width):
        return Padding(0, 0, 3, 2)

    def encode(self, image):
        return super().encode(self.padded(image).image if isinstance(image, Padded) else image)


class Widens(Good):
    def plane(self, first, second):
        return super().plane(first, second).float()


class Pads(Good):
    """Takes a plane's rows to be adjacent in memory."""

    def plane(self, first, second):
        return super().plane(torch.as_strided(first, first.shape, (first.shape[1], 1)), second)


BROKEN = {
    BadSpec: "spec_is_sane",
    FirstName: "spec_is_sane",
    Even: "any_size_works",
    Overshoots: "any_size_works",
    Mixes: "batches_equal_singles",
    Raw: "memory_layout_does_not_matter",
    SplitDiffers: "stages_equal_interpolate",
    Remembers: "same_input_same_bytes",
    OneThread: "threads_do_not_matter",
    TakesPaddingForPicture: "pictures_may_come_padded",
    WritesImages: "inputs_are_left_alone",
    WritesFeatures: "inputs_are_left_alone",
    OneBuffer: "inputs_are_left_alone",
    Backwards: "time_goes_from_first_to_second",
    Holds: "time_goes_from_first_to_second",
    Moves: "a_still_picture_stays",
    TakesAnything: "wrong_calls_are_refused",
    TakesAnyOption: "options_are_checked",
    TakesAnyScale: "options_are_checked",
    BigMask: "explanations_fit",
    SmallFlow: "explanations_fit",
    Widens: "planes_come_back_in_their_format",
    Pads: "padded_rows_do_not_matter",
}


@pytest.mark.parametrize("check", testing.checks(SPEC), ids=lambda check: check.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_good_model_passes(check: testing.Check, dtype: torch.dtype) -> None:
    check(Good(CPU, dtype))


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_promise_is_found(kind: type[Good]) -> None:
    [check] = [check for check in testing.checks(SPEC) if check.__name__ == BROKEN[kind]]
    with pytest.raises(testing.ConformanceError):
        check(kind())


def test_every_check_can_fail() -> None:
    assert {check.__name__ for check in testing.checks(SPEC)} == set(BROKEN.values())


FACE = dataclasses.replace(
    SPEC, task="translate", layout="rgb", timestep_range=(-1.0, 1.0), multiple=32, square_sides=(32, 96)
)


class Darkens(Good):
    """One image; squares alone; t may be below 0."""

    facts = FACE

    def relate(self, features0, features1):
        return features0

    def synthesize(self, motion, t):
        return motion.images[0] * (0.8 + 0.2 * t)


class ReadsTheSecond(Darkens):
    def interpolate(self, image0, image1=None, t=0.5, **options):
        return super().interpolate(image0, None, t, **options)


class AnySquare(Darkens):
    def interpolate(self, image0, image1=None, t=0.5, **options):
        side = min(image0.shape[-1], 96)
        return super().interpolate(image0[..., :side, :side], image1, t, **options)


class AnyAmount(Darkens):
    def interpolate(self, image0, image1=None, t=0.5, **options):
        return super().interpolate(image0, image1, max(min(t, 1.0), -1.0), **options)


class Still(Good):
    """An estimator that sees no motion."""

    facts = dataclasses.replace(SPEC, task="flow", layout="rgb")

    def relate(self, features0, features1):
        flow = torch.zeros_like(features0.images[0][:, :2])
        return types.SimpleNamespace(flow01=flow, flow10=flow)


class Coarse(Still):
    def relate(self, features0, features1):
        flow = torch.zeros_like(features0.images[0][:, :2, ::8, ::8])
        return types.SimpleNamespace(flow01=flow, flow10=flow)


@pytest.mark.parametrize("kind", [Darkens, Still])
def test_a_good_model_of_another_task_passes(kind: type[Good]) -> None:
    for check in testing.checks(kind.facts):
        check(kind())


@pytest.mark.parametrize("kind", [ReadsTheSecond, AnySquare, AnyAmount, Coarse])
def test_a_broken_promise_of_another_task_is_found(kind: type[Good]) -> None:
    broken = testing.contract.flows_fit if kind is Coarse else testing.contract.wrong_calls_are_refused
    assert broken in testing.checks(kind.facts)
    with pytest.raises(testing.ConformanceError):
        broken(kind())


def test_facts_that_do_not_go_together_are_found() -> None:
    for facts in (
        {"task": "paint"},
        {"timestep_range": (0.5, 1.0)},
        {"square_sides": (20, 96)},
        {"task": "interpolate"},
    ):
        model = Darkens()
        model.spec = dataclasses.replace(FACE, **facts)
        with pytest.raises(testing.ConformanceError):
            testing.contract.spec_is_sane(model)


def test_checks_by_task() -> None:
    names = {
        task: {c.__name__ for c in testing.checks(dataclasses.replace(FACE, task=task))} for task in get_args(Task)
    }
    assert names["interpolate"] - names["transition"] == {"a_still_picture_stays"}
    assert names["transition"] - names["stylize"] == {"time_goes_from_first_to_second"}
    assert names["stylize"] == names["translate"]
    assert names["flow"] == {"spec_is_sane", "flows_fit"}


def test_models_without_planes_are_not_given_any() -> None:
    assert testing.checks(dataclasses.replace(SPEC, layout="rgb")) == testing.CHECKS


def test_all_failures_are_told_at_once() -> None:
    plugin: Any = types.ModuleType("broken_models")
    plugin.vsvfi_models = vsvfi.hookimpl(specname="vsvfi_models")(lambda: [SPEC])
    plugin.vsvfi_build = vsvfi.hookimpl(specname="vsvfi_build")(lambda spec: Backwards())
    plugins.register(plugin)
    try:
        with pytest.raises(ExceptionGroup, match="good breaks the contract of a model") as caught:
            testing.check_backend("good")
    finally:
        plugins.unregister(plugin)
    notes = [note for error in caught.value.exceptions for note in error.__notes__]
    assert notes == ["in the check time_goes_from_first_to_second"]
