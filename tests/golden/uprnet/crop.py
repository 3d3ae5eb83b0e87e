"""Makes the files beside it from the whole set of published answers: every second pixel of some, keys as they are.

python tests/golden/uprnet/crop.py ../shared/golden/uprnet
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = {
    "odd/demo/t0.5/image": 2,
    "small/pyr3/t0.25/image": 3,
    "small/pyr4_skip2/t0.5/image": 1,
    "small/pyr3/bi_flow": 1,
    "small/pyr3/flow_level1": 1,
}
"""Tensors and the step in pixels at which they are taken, on top of the step at which the whole set has them."""


def main(source: Path) -> None:
    for variant in ("base", "large", "llarge"):
        name = f"upr-{variant}"
        with np.load(source / f"{name}.npz") as whole:
            kept = {key: whole[key][..., ::step, ::step] for key, step in KEPT.items()}
        np.savez_compressed(HERE / f"{name}.npz", **kept)
        facts = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        tensors = {
            key: {"stride": facts["tensors"][key]["stride"] * step, "full_shape": facts["tensors"][key]["full_shape"]}
            for key, step in KEPT.items()
        }
        about = {"repo": facts["repo"], "commit": facts["commit"], "overrides": facts["recipe"]["overrides"]}
        write(f"{name}.json", {**about, "tensors": tensors})
        write(f"{name}.keys.json", json.loads((source / f"{name}.keys.json").read_text(encoding="utf-8")))


def write(name: str, data: object) -> None:
    (HERE / name).write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
