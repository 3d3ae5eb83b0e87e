"""The checks of every model: a function a promise of model.py. Those of layout "planes" are next door."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import torch
from torch import Tensor

from ..errors import NotExplainedError, OptionError, ShapeError
from ..model import Model, Task
from ..padding import Padded, pad
from .compare import apart, check_image, close, encoded, made, refused, require, same, saying
from .pictures import given, pair, sized, texture

SIZES = ((16, 16), (17, 31), (96, 64), (65, 130))
"""(height, width): the smallest, odd ones, even ones, one beyond a multiple of 64."""


def spec_is_sane(model: Model) -> None:
    """The facts are such as the filter and the command line can show and rely on."""
    spec = model.spec
    require(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", spec.name) is not None and spec.name != "auto", "name: a-z, 0-9, -, .")
    for field in ("family", "variant", "summary", "license", "source"):
        text = getattr(spec, field)
        require(text == text.strip() != "" and "\n" not in text, f"{field} must be one line, got {text!r}")
    known = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    require(bool(spec.precisions) and set(spec.precisions) <= set(known), f"precisions: {spec.precisions}")
    require(model.dtype in [known[name] for name in spec.precisions], f"it runs in {model.dtype}, not in the spec")
    require(model.device.type in spec.devices, f"it runs on {model.device}, not in the spec")
    require(spec.multiple >= 1 and spec.cost > 0, "multiple must be at least 1 and cost above 0")
    require(spec.task in get_args(Task), f"task must be one of {', '.join(get_args(Task))}, got {spec.task!r}")
    require(spec.timestep_range[0] <= 0 < 1 <= spec.timestep_range[1], "timestep_range must hold 0 to 1")
    low, high = spec.square_sides or (spec.multiple, spec.multiple)
    require(0 < low <= high and not (low % spec.multiple or high % spec.multiple), f"square_sides: {spec.square_sides}")
    if spec.task == "interpolate":
        require(
            spec.square_sides is None and spec.timestep_range == (0, 1), "a clip's frames have any size, t is in 0..1"
        )
    require(spec.scales is None or 0 < spec.scales[0] <= 1 <= spec.scales[1], f"scales must hold 1: {spec.scales}")
    require("scale" not in spec.options, "scale is not among options; give scales")
    require(set(model.settings) == {*spec.options, *(["scale"] if spec.scales else [])}, "settings are the options")


def any_size_works(model: Model) -> None:
    """Every height and width from 16x16 gives an image of that size, dtype and device, finite, in [0, 1]."""
    for height, width in {sized(model, *size) for size in SIZES}:
        with saying(f"at {width}x{height}"):
            check_image(model, made(model, given(model, height, width)), (1, 3, height, width))


def batches_equal_singles(model: Model) -> None:
    """Images of a batch do not see each other."""
    singles = [given(model, 48, 64, seed) for seed in (1, 2, 3)]
    batch = made(model, [torch.cat(images) for images in zip(*singles, strict=True)])
    check_image(model, batch, (3, *singles[0][0].shape[1:]))
    for item, images in zip(batch, singles, strict=True):
        close(model, item[None], made(model, images))


def memory_layout_does_not_matter(model: Model) -> None:
    """channels_last and a crop of a larger image give what a compact copy gives."""
    height, width = sized(model, 49, 64)
    crops = [image[..., 1:, 1:-1] for image in pair(height + 1, width + 2)[: model.spec.inputs]]
    close(model, made(model, crops), made(model, [crop.contiguous() for crop in crops]))
    images = given(model, 50, 66)
    last = [image.contiguous(memory_format=torch.channels_last) for image in images]
    close(model, made(model, last), made(model, images))


def stages_equal_interpolate(model: Model) -> None:
    """Features used for two pairs and motion used for several t, in any order, give the single call's bytes."""
    inputs, (height, width) = model.spec.inputs, sized(model, 48, 66)
    images = [*pair(height, width), texture(height, width, 5)]
    features = [encoded(model, image) for image in images]
    with torch.inference_mode():
        second = model.relate(features[1], features[inputs])
        first = model.relate(features[0], features[inputs - 1])
        for motion, these in ((first, images[:inputs]), (second, images[1 : 1 + inputs])):
            for t in (0.75, 0.25, 0.5):
                split, single = model.synthesize(motion, t), made(model, these, t)
                require(same(split, single), f"the three stages differ from interpolate at t={t}")


def same_input_same_bytes(model: Model) -> None:
    """What ran before does not matter: not the same images, not other ones of another size, not unlike ones."""
    height, width = sized(model, 47, 66)
    unlike = (texture(height, width, 1), texture(height, width, 2))[: model.spec.inputs]
    for images in (given(model, 47, 66), unlike):
        once = made(model, images, 0.3)
        made(model, given(model, 64, 64, 4), 0.8)
        for _ in range(2):
            require(same(once, made(model, images, 0.3)), "the same images gave other bytes another time")


def threads_do_not_matter(model: Model) -> None:
    """Several threads may call at once, as filter instances do that share the model."""
    calls = [given(model, 48, 64, seed) for seed in range(6)]
    alone = [made(model, images, 0.4) for images in calls]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(made, model, images, 0.4) for images in calls]
        together = [job.result() for job in jobs]
    require(all(map(same, alone, together)), "another thread got other bytes")


def pictures_may_come_padded(model: Model) -> None:
    """A picture that already has around it what `padding` says gives the same bytes: the filter hands it over so."""
    images = [image.to(model.device, model.image_dtype) for image in given(model, 37, 50)]
    height, width = images[0].shape[-2:]
    around = model.padding(height, width)
    if not around:
        return
    with torch.inference_mode():
        features = [model.encode(Padded(pad(image, around), (height, width))) for image in images]
        found = model.synthesize(model.relate(features[0], features[-1]), 0.5)
    require(same(found, made(model, images, 0.5)), "an image that comes padded gave other bytes")


def inputs_are_left_alone(model: Model) -> None:
    """No stage writes into the images, nor into what an earlier stage made."""
    images = [image.to(model.device, model.image_dtype) for image in pair(*sized(model, 48, 66))]
    before = [image.clone() for image in images]
    with torch.inference_mode():
        features = [model.encode(image) for image in images]
        once = model.synthesize(model.relate(*features), 0.5)
        kept = once.clone() if isinstance(once, Tensor) else once
        again = model.synthesize(model.relate(*features), 0.5)
    require(all(map(torch.equal, images, before)), "an image was written to")
    require(same(kept, again), "features were changed by using them")
    require(same(kept, once), "a result was changed by a later call")


def time_goes_from_first_to_second(model: Model) -> None:
    """A picture that moves by 4 pixels leaves the first image and nears the second as t grows."""
    image0, image1 = (image.to(model.device, torch.float32) for image in pair(96, 96))
    early, late = (model.interpolate(image0, image1, t).float() for t in (0.25, 0.75))
    require(apart(early, image0) < apart(late, image0), "t=0.75 is nearer to the first image than t=0.25")
    require(apart(late, image1) < apart(early, image1), "t=0.25 is nearer to the second image than t=0.75")


def a_still_picture_stays(model: Model) -> None:
    """Between two equal images lies that image: nothing is cropped, padded or colored away."""
    image, _ = pair(65, 97)
    distance = apart(model.interpolate(image, image, 0.5).float().cpu(), image)
    require(distance < 0.02, f"between equal images: off by {distance:.3f} on average, 0.02 allowed")


def wrong_calls_are_refused(model: Model) -> None:
    """Images of two sizes, too many or too few, not RGB, a t or a size that the model does not take."""
    spec, images = model.spec, given(model, 32, 32)
    for other in (images[0][..., 1:], images[0][:, :1], images[0][0]):
        wrong = [(images[0], other), (other, images[0])] if spec.inputs == 2 else [(other,)]
        for these in wrong:
            refused(ShapeError, f"an image of {tuple(other.shape)}", made, model, these)
    refused(OptionError, f"images not {spec.inputs}", made, model, [images[0]] * (3 - spec.inputs))
    low, high = spec.timestep_range
    for t in (low, high, low - 0.5, high + 0.5, float("nan")):
        if not spec.admits(t):
            refused(OptionError, f"t={t}", made, model, images, t)
    if spec.square_sides is not None:
        larger = texture(spec.square_sides[1] + spec.multiple, spec.square_sides[1] + spec.multiple)
        refused(ShapeError, "a square that is too large", made, model, [larger] * spec.inputs)


def options_are_checked(model: Model) -> None:
    """`configured` refuses what the model does not have, and gives a copy that leaves the original alone."""
    before = dict(model.settings)
    refused(OptionError, "an option that does not exist", model.configured, no_such_option=1)
    if model.spec.scales:
        low, high = model.spec.scales
        for scale in (low / 2, high * 2):
            refused(OptionError, f"scale={scale}", model.configured, scale=scale)
        other = model.configured(scale=low)
        require(other.settings["scale"] == low, "configured(scale=...) is not in the copy's settings")
        check_image(model, made(other, given(model, 48, 64)), (1, 3, *sized(model, 48, 64)))
    equal = model.configured(**before)
    require(equal is not model and type(equal) is type(model), "configured must give a copy of the same kind")
    images = given(model, 48, 64)
    require(same(made(equal, images), made(model, images)), "a copy differs")
    require(dict(model.settings) == before, "configured changed the original")


def explanations_fit(model: Model) -> None:
    """`explain` gives finite flows and a mask in [0, 1] of the image's size, or says that there are none."""
    height, width = sized(model, 49, 66)
    features = [encoded(model, image) for image in pair(height, width)]
    with torch.inference_mode():
        try:
            found = model.explain(model.relate(*features), 0.25)
        except NotExplainedError:
            return
    wanted = {"flow_t0": (2, height, width), "flow_t1": (2, height, width), "mask": (1, height, width)}
    for name, shape in wanted.items():
        tensor = getattr(found, name)
        got = f"{tuple(tensor.shape)} {tensor.dtype}"
        require(tuple(tensor.shape) == shape and tensor.dtype == torch.float32, f"{name}: {shape} float32, got {got}")
        require(bool(tensor.isfinite().all()), f"{name} is not finite")
    require(found.mask.min().item() >= 0 and found.mask.max().item() <= 1, "mask must lie in [0, 1]")


def flows_fit(model: Model) -> None:
    """Of an estimator: both flows, in pixels of the images, the same bytes each time."""
    height, width = 65, 98
    image0, image1 = pair(height, width)
    with torch.inference_mode():
        once, again = (model.relate(encoded(model, image0), encoded(model, image1)) for _ in range(2))
    for name in ("flow01", "flow10"):
        flow = getattr(once, name)
        right = tuple(flow.shape) == (1, 2, height, width) and flow.dtype == torch.float32
        require(right, f"{name}: (1, 2, {height}, {width}) float32, got {tuple(flow.shape)} {flow.dtype}")
        require(bool(flow.isfinite().all()), f"{name} is not finite")
        require(torch.equal(flow, getattr(again, name)), f"{name} differs from one time to the next")
    refused(OptionError, "an image from an estimator", model.interpolate, image0, image1)
