"""Makes the files beside it from the whole set of published answers: every few pixels of some, keys as they are.

python tests/golden/sdl/crop.py ../shared/golden/sdl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = {
    "vfi": {"t0.25": 3, "t0.5": 3},
    "vfi_odd": {"t0.25": 2, "padded0_bottom_right": 1},
    "i2i": {"t-0.5": 2, "t0.5": 2},
    "tasks": {
        "vfi/01_sdl.png": 3,
        "morphing/02_sdl.png": 1,
        "i2i-extend/00_sdl.png": 1,
        "i2i-extend/05_sdl.png": 1,
        "style_transfer/01_sdl.png": 2,
    },
}
"""File -> answers and the step in pixels at which they are taken."""


def main(source: Path) -> None:
    facts = json.loads((source / "metadata.json").read_text(encoding="utf-8"))
    for name, answers in KEPT.items():
        with np.load(source / f"{name}.npz") as whole:
            kept = {key: _taken(whole[key], step) for key, step in answers.items()}
        np.savez_compressed(HERE / f"{name}.npz", **kept)
    for name in ("vfi.keys.json", "i2i.keys.json"):
        write(name, json.loads((source / name).read_text(encoding="utf-8")))
    about = {key: facts[key] for key in ("repository", "commit", "gain_overrides")}
    write("metadata.json", {**about, "steps": KEPT})


def _taken(answer: np.ndarray, step: int) -> np.ndarray:
    """Images are (3, H, W) where floating, (H, W, 3) where bytes."""
    return answer[::step, ::step] if answer.dtype == np.uint8 else answer[..., ::step, ::step]


def write(name: str, data: object) -> None:
    (HERE / name).write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
