"""Ways to run a model's three stages: as they are, as CUDA graphs, compiled. Each is a Model in front of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import OptionError

if TYPE_CHECKING:
    from ..model import Model
    from ..options import Engine


def run_with(model: Model, engine: Engine) -> Model:
    """A model that runs as `engine` says; `model` itself where that is as it is.

    Args:
        model: not tiled: tiles of one size are what graphs are made for.
        engine: "eager": every operation is launched as it comes; "graph": launches are recorded once and replayed;
            "compile": torch.compile, which takes a minute or more at first; "auto": on CUDA whichever of the first two
            is faster when both are timed on the first frames, elsewhere eager.

    Raises:
        OptionError: an engine that cannot run this model here.
    """
    on_cuda = model.where.startswith("cuda")
    if model.spec.layout != "rgb":
        if engine in ("graph", "compile"):
            raise OptionError(f"{model.spec.name} is no network; engine must be 'auto' or 'eager' for it")
        return model
    if engine == "compile":
        from .compiled import Compiled

        return Compiled(model)
    if engine == "graph" and not on_cuda:
        raise OptionError(f"engine 'graph' needs a CUDA device, {model.spec.name} runs on {model.where}; use 'auto'")
    if engine == "eager" or not on_cuda:
        return model
    from .cuda_graph import Graphed, Recorder

    graphed = Graphed(model, Recorder(model.device))
    if engine == "graph":
        return graphed
    from .measured import Measured, Stopwatch

    return Measured(model, graphed, Stopwatch())
