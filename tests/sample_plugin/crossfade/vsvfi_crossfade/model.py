from dataclasses import dataclass

import torch

import vsvfi


@dataclass(frozen=True)
class Light(vsvfi.Features):
    linear: torch.Tensor  # (N, 3, H, W), float32


@dataclass(frozen=True)
class Two(vsvfi.Motion):
    linear0: torch.Tensor
    linear1: torch.Tensor


class Crossfade(vsvfi.Model):
    def encode(self, image):
        return Light(image.float().clamp(0, 1) ** self.settings["gamma"])

    def relate(self, features0, features1):
        return Two(features0.linear, features1.linear)

    def synthesize(self, motion, t):
        mixed = torch.lerp(motion.linear0, motion.linear1, t)
        return (mixed ** (1 / self.settings["gamma"])).to(self.dtype)
