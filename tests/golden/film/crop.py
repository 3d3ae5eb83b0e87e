"""Makes the files beside it from the whole set of published answers: every second pixel of some, keys as they are.

python tests/golden/film/crop.py ../shared/golden/film
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = {
    "odd/t0.5/image": 2,
    "small/t0.25/image": 3,
    "small/recursive/quarter3": 2,
    "small/forward_flow_pyramid_0": 1,
    "small/backward_flow_pyramid_0": 1,
    "small/features0_level2": 1,
}
"""Tensors and the step in pixels at which they are taken, on top of the step at which the whole set has them."""


def main(source: Path) -> None:
    with np.load(source / "film_net.npz") as whole:
        kept = {name: whole[name][..., ::step, ::step] for name, step in KEPT.items()}
    np.savez_compressed(HERE / "film_net.npz", **kept)
    facts = json.loads((source / "film_net.json").read_text(encoding="utf-8"))
    tensors = {
        name: {"stride": facts["tensors"][name]["stride"] * step, "full_shape": facts["tensors"][name]["full_shape"]}
        for name, step in KEPT.items()
    }
    about = {"repo": facts["repo"], "commit": facts["commit"], "overrides": facts["recipe"]["overrides"]}
    write("film_net.json", {**about, "tensors": tensors})
    write("film_net.keys.json", json.loads((source / "film_net.keys.json").read_text(encoding="utf-8")))
    write("tf_to_torch_keys.json", json.loads((source / "tf_to_torch_keys.json").read_text(encoding="utf-8")))


def write(name: str, data: object) -> None:
    (HERE / name).write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
