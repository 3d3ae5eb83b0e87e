"""Kinds of failure. Inside, these are raised; at the edge `Interpolate` turns them into `vs.Error`.

Each message says what was wrong, what was expected and what to do; the filter's name is put before it at the edge.
"""


class VsvfiError(Exception):
    """Whatever vsvfi raises on purpose."""


class OptionError(VsvfiError, ValueError):
    """An option's value cannot be used."""


class ClipError(VsvfiError, ValueError):
    """The clip is not one that can be interpolated."""


class FrameError(VsvfiError):
    """One frame cannot be used or made; the message names it."""


class ShapeError(VsvfiError, ValueError):
    """Tensors do not fit each other or the operation."""


class UnknownModelError(VsvfiError, LookupError):
    """No plugin offers a model of this name."""


class WeightsMissingError(VsvfiError, FileNotFoundError):
    """The model is known, but its weights are not installed."""


class WeightsError(VsvfiError, ValueError):
    """A weights file is damaged, hostile, or of another architecture."""


class DeviceError(VsvfiError, RuntimeError):
    """The device is absent, or cannot run this model."""


class NotExplainedError(VsvfiError, NotImplementedError):
    """The model has no flow or mask of its own to show."""


class RenderError(VsvfiError, RuntimeError):
    """Reading, encoding or writing a video file failed."""
