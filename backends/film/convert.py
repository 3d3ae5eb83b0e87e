"""FILM's published TensorFlow SavedModel -> the torch keys that checkpoint.py expects.

Only the tensors in its `variables` folder are read, never its graph, so nothing of an untrusted file is run.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsvfi.errors import VsvfiError, WeightsError
from vsvfi.weights.checkpoint import misfit

from .checkpoint import published

_FEATURES = re.compile(r"(?:.*/)?feat_net/sub_extractor/cfeat_conv_(\d)")
_FLOW = re.compile(r"(?:.*/)?predict_flow/flow_predictor_(shared|\d)/conv_(\d)")
_FUSION = re.compile(r"(?:.*/)?fusion/conv2d(?:_(\d+))?")
_PARTS = {"kernel": "weight", "bias": "bias"}
_STAGES, _CONVS = 4, 3  # of the decoder: convolutions of each of its stages
_SPECIAL = 3  # flow predictors of one level each


def convert(saved_model: Path) -> dict[str, Tensor]:
    """The weights in a SavedModel, in single precision, under the official torch keys.

    Args:
        saved_model: the folder that holds saved_model.pb and the folder `variables`.

    Raises:
        VsvfiError: TensorFlow is not installed.
        WeightsError: there is no SavedModel, it cannot be read, or it is not FILM's.
    """
    prefix = Path(saved_model) / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        raise WeightsError(f"{saved_model} is no SavedModel: it has no variables/variables.index")
    reader, keys = _opened(prefix)
    names = torch_keys(keys)
    shapes = reader.get_variable_to_shape_map()
    got = {wanted: _transposed(tuple(shapes[keys[name]])) for name, wanted in names.items()}
    if differs := misfit(published(), got):
        raise WeightsError(f"{saved_model} is not FILM's: {differs}")
    with _told(prefix):
        return {wanted: _tensor(reader.get_tensor(keys[name])) for name, wanted in names.items()}


def torch_keys(names: Iterable[str]) -> dict[str, str]:
    """The official torch key of every TensorFlow variable of the network; other variables are left out.

    The decoder's convolutions were named by TensorFlow, counting from whatever its process had made before: their
    order counts, not their numbers.

    Args:
        names: as `tf.Variable.name`, with or without the `:0`.
    """
    split = {name: name.removesuffix(":0").rpartition("/")[::2] for name in names}
    layers = {layer for layer, part in split.values() if part in _PARTS}
    modules = {layer: module for layer in layers if (module := _extractor(layer) or _predictor(layer))}
    fusion = sorted((int(found[1] or 0), layer) for layer in layers if (found := _FUSION.fullmatch(layer)))
    modules |= {layer: _decoder(order) for order, (_, layer) in enumerate(fusion)}
    return {
        name: f"{modules[layer]}.{_PARTS[part]}"
        for name, (layer, part) in split.items()
        if layer in modules and part in _PARTS
    }


def _extractor(layer: str) -> str | None:
    found = _FEATURES.fullmatch(layer)
    if found is None:
        return None
    stage, conv = divmod(int(found[1]), 2)
    return f"extract.extract_sublevels.convs.{stage}.{conv}.0"


def _predictor(layer: str) -> str | None:
    found = _FLOW.fullmatch(layer)
    if found is None:
        return None
    level, conv = found.groups()
    # TensorFlow counts the predictors of one level from the finest, the published torch code from the coarsest.
    which = "_predictor" if level == "shared" else f"_predictors.{_SPECIAL - 1 - int(level)}"
    return f"predict_flow.{which}._convs.{conv}.0"


def _decoder(order: int) -> str:
    """As above: TensorFlow begins with the finest stage. Last comes the convolution that makes the picture."""
    stage, conv = divmod(order, _CONVS)
    return "fuse.output_conv" if stage == _STAGES else f"fuse.convs.{_STAGES - 1 - stage}.{conv}.0"


def _opened(prefix: Path) -> tuple[Any, dict[str, str]]:
    """A reader of the tensors, and the key in it of every variable by the variable's name."""
    try:
        tensorflow = importlib.import_module("tensorflow")
        graphs = importlib.import_module("tensorflow.core.protobuf.trackable_object_graph_pb2")
    except ImportError as error:
        raise VsvfiError('converting FILM needs TensorFlow; run: pip install "vsvfi[film-convert]"') from error
    with _told(prefix):
        reader = tensorflow.train.load_checkpoint(str(prefix))
        graph = graphs.TrackableObjectGraph()
        graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    attributes = (attribute for node in graph.nodes for attribute in node.attributes)
    return reader, {attribute.full_name: attribute.checkpoint_key for attribute in attributes if attribute.full_name}


@contextmanager
def _told(prefix: Path) -> Iterator[None]:
    """TensorFlow has a kind of error for every way in which a file can be damaged; here there is one."""
    try:
        yield
    except Exception as error:
        raise WeightsError(f"{prefix.parent} is damaged: TensorFlow cannot read it") from error


def _transposed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(height, width, inputs, outputs) as torch has it."""
    return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape


def _tensor(value: Any) -> Tensor:
    tensor = torch.as_tensor(value, dtype=torch.float32)
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor.clone()
