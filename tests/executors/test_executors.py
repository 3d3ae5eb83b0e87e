"""Every way of running a model gives what the model gives: on a recorder of the tests' own, and on a GPU."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from vsvfi.backends.sdl.model import SDL

from tests.backends import film, gimmvfi, ifrnet, sdl, uprnet
from vsvfi.errors import OptionError
from vsvfi.executors import run_with
from vsvfi.executors.compiled import Compiled
from vsvfi.executors.cuda_graph import Graphed, Recorder
from vsvfi.executors.measured import Measured, Stopwatch
from vsvfi.executors.recordable import Watch
from vsvfi.executors.tree import put_together, take_apart
from vsvfi.model import Model
from vsvfi.ops import kernels
from vsvfi.weights import registry

MODELS: dict[str, Callable[[], Model]] = {
    "ifrnet": lambda: ifrnet.model("ifrnet-s"),
    "uprnet": lambda: uprnet.model("base"),
    "film": film.model,
    "sdl": lambda: sdl.model("sdl-vfi-psnr"),
    "gimmvfi": lambda: gimmvfi.model("f"),
}


class SameMemory:
    """In the place of Recorder: replays write where the first run wrote, as a graph's do."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def forget(self) -> None:
        pass

    def record(self, run: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
        self.recorded += 1
        made = run()
        # A graph's memory holds nothing before it is replayed.
        for tensor in made:
            if tensor.is_floating_point() and not any(tensor is fixed for fixed in self.inputs(run)):
                tensor.fill_(float("nan"))

        def replay() -> None:
            self.replayed += 1
            for into, tensor in zip(made, run(), strict=True):
                if into is not tensor:
                    into.copy_(tensor)

        return replay, made

    @staticmethod
    def inputs(run: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What `run` reads, out of its closure."""
        cells = (cell.cell_contents for cell in run.__closure__ or ())
        return [tensor for cell in cells if isinstance(cell, tuple) for tensor in take_apart(cell)[0]]


def images(n: int, size: tuple[int, int] = (48, 64)) -> list[Tensor]:
    return [torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)) for seed in range(n)]


def clip(model: Model, pictures: list[Tensor], ts: tuple[float, ...] = (0.5, 0.25, 0.75)) -> list[Tensor]:
    """All in-betweens, with features and motions held as the caches hold them, t by t."""
    with torch.inference_mode():
        features = [model.encode(picture) for picture in pictures]
        motions = [model.relate(*pair) for pair in itertools.pairwise(features)]
        made = [model.synthesize(motion, t) for t in ts for motion in motions]
    assert all(isinstance(each, Tensor) for each in made)
    return made


@pytest.mark.parametrize("name", MODELS)
def test_replays_give_the_same_bytes(name: str) -> None:
    model, recorder = MODELS[name](), SameMemory()
    graphed = Graphed(model, recorder)
    pictures = images(4)
    found, expected = clip(graphed, pictures), clip(model, pictures)
    assert all(map(torch.equal, found, expected))
    assert recorder.recorded == 3, "one graph a stage, whatever t is"
    assert recorder.replayed >= 4 + 3 + 3


def test_another_size_and_other_options_are_other_graphs() -> None:
    recorder = SameMemory()
    graphed = Graphed(uprnet.model("base"), recorder)
    for size in ((48, 64), (64, 48), (48, 64)):
        clip(graphed, images(2, size), (0.5,))
    assert recorder.recorded == 2 * 3
    more = graphed.configured(levels=2)
    assert isinstance(more, Graphed)
    assert more.settings["levels"] == 2
    plain = uprnet.model("base").configured(levels=2)
    assert torch.equal(clip(more, images(2), (0.5,))[0], clip(plain, images(2), (0.5,))[0])


def test_two_streams_do_not_share_memory() -> None:
    """Two filter instances on one model, each in the middle of a pair."""
    model = ifrnet.model("ifrnet-s")
    first, second = (Graphed(model, SameMemory()) for _ in range(2))
    a, b, c = images(3)
    with torch.inference_mode():
        early = [graphed.encode(a) for graphed in (first, second)]
        late = [first.encode(b), second.encode(c)]
        motions = [graphed.relate(x, y) for graphed, x, y in zip((first, second), early, late, strict=True)]
        made = [graphed.synthesize(motion, 0.5) for graphed, motion in zip((first, second), motions, strict=True)]
    assert torch.equal(made[0], model.interpolate(a, b))
    assert torch.equal(made[1], model.interpolate(a, c))


def test_what_a_stage_hands_on_takes_no_second_place() -> None:
    graphed = Graphed(uprnet.model("base"), SameMemory())
    with torch.inference_mode():
        features = [graphed.encode(picture) for picture in images(2)]
        motion = graphed.relate(*features)
    assert motion.features1.levels[0].full is features[1].levels[0].full


def test_what_cannot_be_recorded_runs_as_it_comes(caplog) -> None:
    class Refusing(SameMemory):
        def record(self, run: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
            raise RuntimeError("operation not permitted when stream is capturing")

    model = ifrnet.model("ifrnet-s")
    with caplog.at_level(logging.WARNING, logger="vsvfi"):
        found = clip(Graphed(model, Refusing()), images(3))
    assert all(map(torch.equal, found, clip(model, images(3))))
    said = [record.getMessage() for record in caplog.records]
    assert any("ifrnet-s.encode cannot be recorded and runs eagerly: operation not permitted" in text for text in said)
    assert len([text for text in said if "encode" in text]) == 1, "said once, not for every frame"


def test_the_reason_is_the_first_one(caplog) -> None:
    class BrokenOff(SameMemory):
        def record(self, run: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
            try:
                raise RuntimeError("Cannot copy between CPU and CUDA tensors")
            finally:  # as torch.cuda.graph does when it is left
                raise RuntimeError("operation failed due to a previous error during capture")

    with caplog.at_level(logging.WARNING, logger="vsvfi"):
        clip(Graphed(ifrnet.model("ifrnet-s"), BrokenOff()), images(2))
    assert "runs eagerly: Cannot copy between CPU and CUDA tensors" in caplog.records[0].getMessage()


def test_out_of_memory_is_not_taken_for_a_refusal() -> None:
    class Full(SameMemory):
        def record(self, run: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        clip(Graphed(ifrnet.model("ifrnet-s"), Full()), images(2))


def test_graphs_can_be_given_up() -> None:
    recorder = SameMemory()
    graphed = Graphed(ifrnet.model("ifrnet-s"), recorder)
    before = clip(graphed, images(2), (0.5,))
    graphed.forget()
    assert torch.equal(clip(graphed, images(2), (0.5,))[0], before[0])
    assert recorder.recorded == 6


class Numbers(SDL):
    """A model that wants t as a number, as somebody else's may."""

    any_t = False

    def timestep(self, t: float | Tensor) -> Tensor:
        assert isinstance(t, float)
        return super().timestep(t)


def test_where_t_must_be_a_number_each_has_a_graph(monkeypatch) -> None:
    from vsvfi.executors import cuda_graph

    monkeypatch.setattr(cuda_graph, "_MOST", 4)
    model = Numbers(registry.known()["sdl-vfi-psnr"], torch.device("cpu"), torch.float32, sdl.weights())
    recorder, ts = SameMemory(), (0.1, 0.2, 0.3, 0.4)
    graphed = Graphed(model, recorder)
    assert all(map(torch.equal, clip(graphed, images(2), ts), clip(model, images(2), ts)))
    assert recorder.recorded == 4, "the fourth t comes as it is"
    read = {id(graph.inputs[0]) for graph in graphed._graphs.values()}
    assert len(read) == 3, "graphs of one stage read the same memory"


@pytest.mark.parametrize("name", MODELS)
def test_t_as_a_tensor_is_t(name: str) -> None:
    model = MODELS[name]()
    if "recursive" in model.settings:
        assert not model.configured(recursive=True).any_t, "halving branches on t"
        model = model.configured(recursive=False)
    assert model.any_t
    features = [model.encode(picture) for picture in images(2)]
    motion = model.relate(*features)
    for t in (0.3, 0.5):
        assert torch.equal(model.synthesize(motion, torch.tensor(t)), model.synthesize(motion, t))


@pytest.mark.parametrize(("replay", "faster"), [(1.0, True), (2.9, True), (3.0, False), (9.0, False)])
def test_auto_takes_the_faster_one(replay: float, faster: bool) -> None:
    recorder, model = SameMemory(), ifrnet.model("ifrnet-s")

    def stopwatch(run: Callable[[], object]) -> float:
        before = recorder.replayed
        run()
        return replay if recorder.replayed > before else 3.0

    measured = Measured(model, Graphed(model, recorder), stopwatch)
    assert all(map(torch.equal, clip(measured, images(3)), clip(model, images(3))))
    before = recorder.replayed
    clip(measured, images(3))
    assert (recorder.replayed > before) is faster


def test_auto_records_nothing_that_takes_long() -> None:
    recorder, model = SameMemory(), ifrnet.model("ifrnet-s")
    timed: list[float] = []

    def stopwatch(run: Callable[[], object]) -> float:
        run()
        timed.append(150.0)
        return timed[-1]

    measured = Measured(model, Graphed(model, recorder), stopwatch)
    assert all(map(torch.equal, clip(measured, images(3)), clip(model, images(3))))
    assert recorder.recorded == 0
    assert len(timed) == 3, "each stage once"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ifrnet", "uprnet"])
def test_compiled_stages_give_the_same_to_rounding(name: str, caplog) -> None:
    """Traced whole and taken apart as for generated code, then run as torch would."""
    torch._dynamo.reset()
    model = MODELS[name]()
    ts = (0.5, 0.25)
    with caplog.at_level(logging.WARNING, logger="vsvfi"):
        found = clip(Compiled(model, "aot_eager"), images(3), ts)
    for made, expected in zip(found, clip(model, images(3), ts), strict=True):
        assert (made - expected).abs().max() < 1e-4  # UPR-Net divides by tiny weights: 4e-5 seen
    said = [text.split(":")[0] for text in caplog.messages if re.search(r"compiled for 64x\d\d in \d+ s$", text)]
    assert said == [f"{model.spec.name}.{stage}" for stage in ("encode", "relate", "synthesize")], "each once"


def test_generated_code_is_kept_with_the_user(monkeypatch, tmp_path) -> None:
    import os

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    Compiled(ifrnet.model("ifrnet-s"))
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "vsvfi" / "inductor")


def test_engines_on_a_cpu() -> None:
    model = ifrnet.model("ifrnet-s")
    assert run_with(model, "auto") is model
    assert run_with(model, "eager") is model
    assert isinstance(run_with(model, "compile"), Compiled)
    with pytest.raises(OptionError, match="engine 'graph' needs a CUDA device, ifrnet-s runs on cpu; use 'auto'"):
        run_with(model, "graph")


class Two(NamedTuple):
    left: Tensor
    right: object


@dataclass(frozen=True)
class Holder:
    pair: Two
    many: list[Tensor]
    number: float
    token: object
    same: object


def test_values_are_taken_apart_and_put_together() -> None:
    x, y, token = torch.rand(2), torch.rand(3), object()
    value = Holder(Two(x, (y, "text")), [x, y, y], 0.5, token, token)
    tensors, skeleton = take_apart(value)
    assert [id(tensor) for tensor in tensors] == [id(x), id(y)]
    hash(skeleton)
    other = put_together(skeleton, [x + 1, y + 1])
    assert isinstance(other, Holder)
    assert torch.equal(other.pair.left, x + 1)
    assert isinstance(other.pair.right, tuple)
    assert other.pair.right[1] == "text"
    assert other.many[1] is other.many[2]
    assert other.token is other.same
    assert other.token is not token, "a token tells a pair from all others"
    assert take_apart(Holder(Two(x, (y, "text")), [x, y, y], 0.5, object(), token))[1] != skeleton
    with pytest.raises(TypeError):
        take_apart((x, {"no": "hash"}))


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["graph", "auto", pytest.param("compile", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_on_a_gpu(name: str, engine: str) -> None:
    model = moved(MODELS[name]())
    pictures = [picture.cuda() for picture in images(3)]
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        expected = clip(model, pictures)
        found = clip(run_with(model, engine), pictures)
    stream.synchronize()
    # Without our kernels splats are summed by float atomics, in another order each time.
    limit = 0.0 if engine != "compile" and kernels.usable(pictures[0]) else 1e-4
    assert all((a - b).abs().max() <= limit for a, b in zip(found, expected, strict=True))


def moved(model: Model) -> Model:
    """A model's copy on the GPU."""
    import copy

    other = copy.deepcopy(model)
    other.net.cuda()
    other._device, other.where = torch.device("cuda", 0), "cuda:0"
    return other


@pytest.mark.gpu
def test_the_recorder_and_the_stopwatch_on_a_gpu() -> None:
    x = torch.rand(1000, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        replay, (y,) = Recorder(torch.device("cuda", 0)).record(lambda: [x * 2])
        x.fill_(3.0)
        assert Stopwatch()(replay) > 0
        assert torch.equal(y, torch.full_like(y, 6.0))


@pytest.mark.gpu
def test_what_is_refused_leaves_the_device_as_it_was() -> None:
    x = torch.rand(1000, device="cuda")
    torch.cuda.synchronize()
    recorder = Recorder(torch.device("cuda", 0))
    with torch.cuda.stream(torch.cuda.Stream()):
        with pytest.raises(RuntimeError, match="waits for the device"):
            recorder.record(lambda: [x * x.sum().item()])
        replay, (y,) = recorder.record(lambda: [x * 2])
        replay()
        assert torch.equal(y, x * 2)
    torch.cuda.empty_cache()


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        lambda x: x * x.sum().item(),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x[x > 0.5],
        lambda x: x.masked_fill(x > 0.5, 0)[x.nonzero()],
        lambda x: x.masked_select(x > 0.5),
        lambda x: x.clone().index_put_((x > 0.5,), x.new_zeros(())),
        lambda x: x.repeat_interleave(x.long()),
        lambda x: x.unique(),
    ],
)
def test_what_waits_is_seen_before_it_is_recorded(call: Callable[[Tensor], Tensor], inference: bool) -> None:
    with torch.inference_mode(inference):
        x = torch.rand(8)
        with Watch(torch.device("cpu")), pytest.raises(RuntimeError, match="waits for the device"):
            call(x)


def test_memory_of_another_device_is_seen() -> None:
    x, there = torch.rand(8), torch.rand(8, device="meta")
    for call in (lambda: there + x.to("meta"), lambda: torch.zeros(3), lambda: torch.empty_like(there, device="cpu")):
        with Watch(torch.device("meta")), pytest.raises(RuntimeError, match="has to do with a tensor on cpu"):
            call()
    with Watch(torch.device("meta")):
        assert (there * torch.tensor(2.0)).shape == there.shape, "a number is a number"


@pytest.mark.parametrize("name", MODELS)
def test_our_models_can_be_recorded(name: str) -> None:
    model = MODELS[name]()
    a, b = images(2)
    with torch.inference_mode():
        expected = model.interpolate(a, b)
        with Watch(torch.device("cpu")):
            motion = model.relate(model.encode(a), model.encode(b))
            made = model.synthesize(motion, torch.tensor(0.5) if model.any_t else 0.5)
    assert torch.equal(made, expected)
