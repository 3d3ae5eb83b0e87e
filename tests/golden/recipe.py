"""Deterministic weights and frames for parity tests: nothing needs to be stored but outputs.

The same file as golden/recipe.py of the facts folder, so that a clone alone can run what is stored beside it.

Every tensor is drawn from a generator seeded by its own key, so two implementations that
share state_dict keys and shapes share weights to the bit, in any order of traversal.
"""

from __future__ import annotations

import fnmatch
import hashlib
import math
from collections.abc import Mapping

import numpy as np


def _rng(key: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def fill(key: str, shape: tuple[int, ...], gain: float = 1.0, seed: int = 0) -> np.ndarray:
    """One float32 tensor for `key`.

    >= 2 dims: normal, std = gain / sqrt(fan_in), fan_in = product of all dims but the first.
    1 dim or 0 dims, by the last part of the key: weight -> 1 + 0.1 n (norm scales, PReLU slopes
    are set by override), running_var -> 1 + 0.1 |n|, everything else (bias, running_mean) -> 0.02 n.
    All of it is multiplied by gain.
    """
    rng = _rng(key, seed)
    n = rng.standard_normal(shape, dtype=np.float64)
    leaf = key.rsplit(".", 1)[-1]
    if len(shape) >= 2:
        value = n / math.sqrt(max(1, int(np.prod(shape[1:]))))
    elif leaf == "weight":
        value = 1.0 + 0.1 * n
    elif leaf == "running_var":
        value = 1.0 + 0.1 * np.abs(n)
    else:
        value = 0.02 * n
    return np.asarray(gain * value, dtype=np.float32)


def fill_state_dict(
    shapes: Mapping[str, tuple[int, ...]],
    gain_overrides: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Weights for every key in `shapes`; the last fnmatch pattern in `gain_overrides` that fits a key sets its gain."""
    out = {}
    for key, shape in shapes.items():
        gain = 1.0
        for pattern, value in (gain_overrides or {}).items():
            if fnmatch.fnmatchcase(key, pattern):
                gain = value
        out[key] = fill(key, tuple(shape), gain, seed)
    return out


def make_frames(
    h: int, w: int, seed: int = 0, shift: tuple[float, float] = (6.0, 3.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Two float32 RGB frames (3, h, w) in [0, 1]: smooth bands of colour and a disc, moved by `shift` = (dx, dy) px and
    the disc by twice that, so that flow, occlusion and all three channels matter."""
    rng = np.random.Generator(np.random.PCG64(seed))
    k = rng.uniform(0.02, 0.25, size=(3, 6, 2))
    phase = rng.uniform(0, 2 * math.pi, size=(3, 6))

    def render(dx: float, dy: float) -> np.ndarray:
        y, x = np.mgrid[0:h, 0:w].astype(np.float64)
        xs, ys = x - dx, y - dy
        img = np.stack(
            [
                0.5 + 0.08 * sum(np.sin(k[c, i, 0] * xs + k[c, i, 1] * ys + phase[c, i]) for i in range(6))
                for c in range(3)
            ]
        )
        disc = ((x - w * 0.45 - 2 * dx) ** 2 + (y - h * 0.5 - 2 * dy) ** 2) < (0.18 * min(h, w)) ** 2
        img[:, disc] = img[:, disc] * 0.3 + np.array([0.6, 0.25, 0.1])[:, None]
        return np.asarray(np.clip(img, 0, 1), dtype=np.float32)

    return render(0.0, 0.0), render(*shift)
