"""The contract between the filter and a model: what there is (ModelSpec) and the three stages (Model).

encode runs once per source frame, relate once per pair of neighbours, synthesize once per in-between frame, so a
family puts its work as far up as its mathematics allows. Plugins are found by `plugins.py`, called by `pipeline.py`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from .errors import NotExplainedError, OptionError, ShapeError
from .padding import Padded, Padding, pad

if TYPE_CHECKING:  # torch stays out until a model is built: listing models must be quick
    import torch
    from torch import Tensor

    from .frames.planes import Planes

type Image = Tensor | Planes
"""What a model writes: (N, 3, H, W) RGB in [0, 1], or (layout "planes") the frame's own planes."""

type Source = Image | Padded
"""What a model reads: an image, or one that already has around it what the model's `padding` says."""

Task = Literal["interpolate", "transition", "translate", "stylize", "flow"]
"""What a model is for; see ModelSpec."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The facts of one model, plain data: listing models imports nothing heavy.

    Attributes:
        name: as users type it, e.g. "ifrnet-l-gopro".
        family, variant: "ifrnet", "l".
        summary: one line for `vsvfi models list`.
        task: "interpolate": frames between two neighbours of a clip; "transition": images between two that are not of
            one scene; "translate": one image, changed by t (relate gets it twice and reads the first); "stylize":
            the first image, content, painted t of the way like the second, style; "flow": an estimator, whose Motion
            has `flow01` and `flow10` and which makes no images.
        license: SPDX id or LicenseRef-...; of the weights where there are any, else of the code.
        commercial: whether that licence allows commercial use.
        source: page of the authors.
        paper: title or identifier of the publication.
        checkpoint: file name of the published weights; None: the model has none.
        url: direct link to that file; None where its authors give a page only (then: `source`).
        nbytes, sha256: of that file, None where they are not known.
        git_blob: the name that git gives that file's content, where it lies in a repository.
        trained_on: data set of the published weights.
        timesteps: "any" t of the range, or "half": only t = 1/2 is trained (others by recursion).
        timestep_range: lowest and highest t. Of interpolate and transition they are the images themselves, and are
            not asked for; of translate and stylize they belong to it; see `admits`.
        multiple: sides are padded to a multiple of this inside the model (information; any size works, or those
            that `square_sides` says).
        square_sides: lowest and highest side of the squares that it takes, in steps of `multiple`; None: it takes
            any size. Whoever has other images resizes them: `vsvfi.fitting.fitted`.
        precisions: what it runs in, best first for `precision="auto"`: "fp32", "fp16", "bf16".
        agreement: PSNR in dB of each lower precision against fp32 on the golden inputs, as measured.
        devices: kinds of torch device it runs on.
        layout: "rgb": images are (N, 3, H, W) tensors; "planes": it reads the clip's own planes, unconverted.
        scales: inclusive range of the `scale` option; None: the model has no such option.
        options: names of further options, with their defaults (`options={...}` of the filter).
        cost: time of one in-between relative to `flow`, for choosing; 1.0 is flow's.
        quality: rank for model="auto", higher is better.
        parallel: True: several frames may be computed by several threads at once (single-threaded CPU code).
    """

    name: str
    family: str
    variant: str
    summary: str
    task: Task = "interpolate"
    license: str
    commercial: bool
    source: str
    paper: str = ""
    checkpoint: str | None = None
    url: str | None = None
    nbytes: int | None = None
    sha256: str | None = None
    git_blob: str | None = None
    trained_on: str = ""
    timesteps: Literal["any", "half"] = "any"
    timestep_range: tuple[float, float] = (0.0, 1.0)
    multiple: int = 1
    square_sides: tuple[int, int] | None = None
    precisions: tuple[str, ...] = ("fp32",)
    agreement: Mapping[str, float] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    layout: Literal["rgb", "planes"] = "rgb"
    scales: tuple[float, float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 1.0
    quality: float = 0.0
    parallel: bool = False

    @property
    def inputs(self) -> int:
        """How many images it takes: 1 or 2."""
        return 1 if self.task == "translate" else 2

    def admits(self, t: float) -> bool:
        """Whether it makes an image for this t."""
        low, high = self.timestep_range
        return low <= t <= high if self.task in ("translate", "stylize") else low < t < high

    def admits_size(self, height: int, width: int) -> bool:
        """Whether it takes images of this size as they are."""
        if self.square_sides is None:
            return True
        low, high = self.square_sides
        return height == width and low <= height <= high and height % self.multiple == 0


class Features:
    """What `encode` knows of one frame; each family derives its own (a dataclass of tensors)."""


class Motion:
    """What `relate` knows of a pair; each family derives its own (a dataclass of tensors)."""


@dataclass(frozen=True)
class Explanation:
    """Why an in-between frame looks as it does, for `show=`.

    Attributes:
        flow_t0: (2, H, W) float32, pixels, u then v: where the frame at t looks back into frame 0.
        flow_t1: the same into frame 1.
        mask: (1, H, W) float32 in [0, 1]: weight of frame 0 in the blend; 0.5 where both count alike.
    """

    flow_t0: Tensor
    flow_t1: Tensor
    mask: Tensor


class Model(ABC):
    """A model on one device in one precision; shared by all filter instances that ask for the same.

    Stages must not change the model, and must give the same bytes for the same input, whatever ran before.

    Args:
        spec: its facts.
        device: where it computes; None: on the CPU, on arrays. Such a model does without torch in a filter, and
            spares its users the seconds that torch takes to import.
        dtype: its working precision; None: float32.

    Attributes:
        spec: its facts.
        where: the device's name: "cpu", "cuda:0".
        settings: option values in force; see `configured`.
    """

    spec: ModelSpec
    where: str
    settings: Mapping[str, Any]
    _original: Model | None = None

    def __init__(self, spec: ModelSpec, device: torch.device | None = None, dtype: torch.dtype | None = None) -> None:
        self.spec = spec
        self.where = "cpu" if device is None else str(device)
        self._device = device
        self._dtype = dtype
        self.settings = {**spec.options, **({"scale": 1.0} if spec.scales else {})}

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        import torch

        return self._device or torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Its working precision."""
        import torch

        return self._dtype or torch.float32

    @property
    def image_dtype(self) -> torch.dtype:
        """In what precision `encode` is given pictures: that of the model, unless it wants them finer."""
        return self.dtype

    def configured(self, **options: Any) -> Self:
        """The same model with other option values: a shallow copy that shares the weights.

        Raises:
            OptionError: an option the model does not have, or a scale out of its range.
        """
        for name in options:
            if name not in self.settings:
                known = ", ".join(sorted(self.settings)) or "none"
                raise OptionError(f"{self.spec.name} has no option {name!r}; it takes: {known}")
        scale = options.get("scale")
        if scale is not None and self.spec.scales and not self.spec.scales[0] <= scale <= self.spec.scales[1]:
            low, high = self.spec.scales
            raise OptionError(f"scale must be from {low:g} to {high:g} for {self.spec.name}, got {scale:g}")
        other = copy.copy(self)
        other._original = self  # sharing goes by the original: it must live as long as any of its copies
        other.settings = {**self.settings, **options}
        return other

    @abstractmethod
    def encode(self, image: Source) -> Features:
        """Whatever one frame's image alone determines."""

    @abstractmethod
    def relate(self, features0: Features, features1: Features) -> Motion:
        """Whatever two neighbours determine for all timesteps between them."""

    @abstractmethod
    def synthesize(self, motion: Motion, t: float) -> Image:
        """The image at timestep t, one that the spec `admits`; of the kind (tensor or planes) that encode was given.

        The output of "interpolate" and "transition" nears the second image as t grows, that of "translate" leaves the
        one image, and that of "stylize" the content.
        """

    def replayable(self, t: float) -> bool:
        """Whether `synthesize` at t reads its motion and the weights alone, and not what it kept from earlier calls.

        If so, its launches may be recorded once and replayed. Override it where a model keeps in-betweens.
        """
        return True

    @property
    def any_t(self) -> bool:
        """Whether `synthesize` also takes t as a float32 tensor of no dimensions, and reads it by `timestep` alone.

        If so, what is recorded once serves every t; else it is recorded for each. Say so where no branch and no
        Python number depends on t.
        """
        return False

    def padding(self, height: int, width: int) -> Padding:
        """What `encode` puts around pictures of this size; whoever makes them may do it in the same pass."""
        return Padding()

    def padded(self, image: Source) -> Padded:
        """An image as `encode` wants it, with what `padding` says around it; one that has that comes back."""
        if isinstance(image, Padded):
            return image
        import torch

        assert isinstance(image, torch.Tensor), "layout is rgb"
        height, width = image.shape[-2:]
        return Padded(pad(image, self.padding(height, width)), (height, width))

    def timestep(self, t: float | Tensor) -> Tensor:
        """A float32 tensor of no dimensions on the device that is t; a tensor, as executors hand in, comes back."""
        import torch

        return t if isinstance(t, torch.Tensor) else torch.full((), t, dtype=torch.float32, device=self.device)

    def forget(self) -> None:  # noqa: B027  most models keep nothing
        """Give up memory that is kept to be faster; called when the device has run out of it."""

    def explain(self, motion: Motion, t: float) -> Explanation:
        """Flow and mask behind the frame at t, for `show=`; 0 <= t < 1.

        Raises:
            NotExplainedError: the model has none.
        """
        raise NotExplainedError(f"{self.spec.name} has no flow or mask to show; show must be None or 'scene'")

    def interpolate(self, image0: Tensor, image1: Tensor | None = None, t: float = 0.5, **options: Any) -> Tensor:
        """The image at t of one or two, in one call: all three stages, whatever the task.

        Args:
            image0: (N, 3, H, W) RGB in [0, 1]; any H and W, or a square that the spec admits.
            image1: the same shape; None for a model that takes one image.
            t: within the spec's range.
            options: the model's own, for this call; see `configured`.

        Returns:
            (N, 3, H, W) RGB on the model's device, in its dtype.

        Raises:
            ShapeError: the images are not batches of RGB of one size that the model takes.
            OptionError: t is out of range, an option is not the model's or wrong, there is one image too many or too
                few, or the model makes none.
        """
        if options:
            return self.configured(**options).interpolate(image0, image1, t)
        images = (image0, image0 if image1 is None else image1)
        self._check_call(*images, t, 1 if image1 is None else 2)
        import torch

        with torch.inference_mode():
            pair = (self.encode(i.to(self.device, self.image_dtype)) for i in images)
            result = self.synthesize(self.relate(*pair), t)
        assert isinstance(result, torch.Tensor), "a model given tensors answers with a tensor"
        return result

    def _check_call(self, image0: Tensor, image1: Tensor, t: float, given: int) -> None:
        spec = self.spec
        if spec.task == "flow":
            raise OptionError(f"{spec.name} finds flow and makes no images; relate gives its flow01 and flow10")
        if given != spec.inputs:
            raise OptionError(f"{spec.name} takes {spec.inputs} image{'s'[: spec.inputs - 1]}, got {given}")
        if image0.ndim != 4 or image0.shape[1] != 3 or image0.shape != image1.shape:
            raise ShapeError(f"images must be alike, (N, 3, H, W), got {tuple(image0.shape)} and {tuple(image1.shape)}")
        height, width = image0.shape[2:]
        if spec.square_sides is not None and not spec.admits_size(height, width):
            least, most = spec.square_sides
            sides = f"of {most}" if least == most else f"of {least} to {most} in steps of {spec.multiple}"
            raise ShapeError(
                f"{spec.name} takes squares with sides {sides}, got {width}x{height}; vsvfi.fitting.fitted makes them"
            )
        if not spec.admits(t):
            low, high = spec.timestep_range
            if spec.task in ("interpolate", "transition"):
                raise OptionError(f"t must lie strictly between 0 and 1, got {t}; at 0 and 1 use the images themselves")
            raise OptionError(f"t must be from {low:g} to {high:g} for {spec.name}, got {t}")
