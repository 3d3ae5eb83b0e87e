"""The checks of every model: a function a promise of model.py. Those of layout "planes" are next door."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ..errors import NotExplainedError, OptionError, ShapeError
from ..model import Model
from .compare import apart, check_image, close, encoded, refused, require, same, saying
from .pictures import pair, texture

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
    require(spec.scales is None or 0 < spec.scales[0] <= 1 <= spec.scales[1], f"scales must hold 1: {spec.scales}")
    require("scale" not in spec.options, "scale is not among options; give scales")
    require(set(model.settings) == {*spec.options, *(["scale"] if spec.scales else [])}, "settings are the options")


def any_size_works(model: Model) -> None:
    """Every height and width from 16x16 gives an image of that size, dtype and device, finite, in [0, 1]."""
    for height, width in SIZES:
        with saying(f"at {width}x{height}"):
            check_image(model, model.interpolate(*pair(height, width), 0.5), (1, 3, height, width))


def batches_equal_singles(model: Model) -> None:
    """Images of a batch do not see each other."""
    singles = [pair(48, 64, seed) for seed in (1, 2, 3)]
    batch = model.interpolate(torch.cat([a for a, _ in singles]), torch.cat([b for _, b in singles]), 0.5)
    check_image(model, batch, (3, 3, 48, 64))
    for item, images in zip(batch, singles, strict=True):
        close(model, item[None], model.interpolate(*images, 0.5))


def memory_layout_does_not_matter(model: Model) -> None:
    """channels_last and a crop of a larger image give what a compact copy gives."""
    image0, image1 = pair(50, 66)
    crop0, crop1 = (image[..., 1:, 1:-1] for image in (image0, image1))
    close(model, model.interpolate(crop0, crop1), model.interpolate(crop0.contiguous(), crop1.contiguous()))
    last0, last1 = (image.contiguous(memory_format=torch.channels_last) for image in (image0, image1))
    close(model, model.interpolate(last0, last1), model.interpolate(image0, image1))


def stages_equal_interpolate(model: Model) -> None:
    """Features used for two pairs and motion used for several t, in any order, give the single call's bytes."""
    images = [*pair(48, 66), texture(48, 66, 5)]
    features = [encoded(model, image) for image in images]
    with torch.inference_mode():
        second = model.relate(features[1], features[2])
        first = model.relate(features[0], features[1])
        for motion, two in ((first, images[:2]), (second, images[1:])):
            for t in (0.75, 0.25, 0.5):
                split, single = model.synthesize(motion, t), model.interpolate(two[0], two[1], t)
                require(same(split, single), f"the three stages differ from interpolate at t={t}")


def same_input_same_bytes(model: Model) -> None:
    """What ran before does not matter: not the same images, not other ones of another size, not unlike ones."""
    for images in (pair(47, 66), (texture(47, 66, 1), texture(47, 66, 2))):
        once = model.interpolate(*images, 0.3)
        model.interpolate(*pair(64, 64, 4), 0.8)
        for _ in range(2):
            require(same(once, model.interpolate(*images, 0.3)), "the same images gave other bytes another time")


def threads_do_not_matter(model: Model) -> None:
    """Several threads may call at once, as filter instances do that share the model."""
    pairs = [pair(48, 64, seed) for seed in range(6)]
    alone = [model.interpolate(*images, 0.4) for images in pairs]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(model.interpolate, *images, 0.4) for images in pairs]
        together = [job.result() for job in jobs]
    require(all(map(same, alone, together)), "another thread got other bytes")


def inputs_are_left_alone(model: Model) -> None:
    """No stage writes into the images, nor into what an earlier stage made."""
    images = [image.to(model.device, model.dtype) for image in pair(48, 66)]
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
    """Images of two sizes, images that are not RGB, a t that is not in between."""
    image, _ = pair(32, 32)
    for other in (image[..., 1:], image[:, :1], image[0]):
        refused(ShapeError, f"a second image of {tuple(other.shape)}", model.interpolate, image, other)
        refused(ShapeError, f"a first image of {tuple(other.shape)}", model.interpolate, other, image)
    for t in (0.0, 1.0, -0.5, float("nan")):
        refused(OptionError, f"t={t}", model.interpolate, image, image, t)


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
        check_image(model, other.interpolate(*pair(48, 64), 0.5), (1, 3, 48, 64))
    equal = model.configured(**before)
    require(equal is not model and type(equal) is type(model), "configured must give a copy of the same kind")
    require(same(equal.interpolate(*pair(48, 64), 0.5), model.interpolate(*pair(48, 64), 0.5)), "a copy differs")
    require(dict(model.settings) == before, "configured changed the original")


def explanations_fit(model: Model) -> None:
    """`explain` gives finite flows and a mask in [0, 1] of the image's size, or says that there are none."""
    height, width = 49, 66
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
