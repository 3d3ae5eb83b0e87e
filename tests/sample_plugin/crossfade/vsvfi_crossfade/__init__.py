"""A crossfade in linear light: light sources mix as they do on film."""

import vsvfi


@vsvfi.hookimpl
def vsvfi_models():
    return [
        vsvfi.ModelSpec(
            name="crossfade",
            family="crossfade",
            variant="linear",
            summary="mixes neighbours in linear light; no motion",
            license="MIT",
            commercial=True,
            source="https://example.org/vsvfi-crossfade",
            precisions=("fp32", "fp16"),
            devices=("cpu", "cuda"),
            options={"gamma": 2.4},
            cost=0.1,
        )
    ]


@vsvfi.hookimpl
def vsvfi_build(spec, device, dtype):
    if spec.family != "crossfade":
        return None  # another plugin's
    from .model import Crossfade  # torch arrives here: listing models stays quick

    return Crossfade(spec, device, dtype)
