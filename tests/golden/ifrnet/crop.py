"""Makes the files beside it from the whole set of published answers: some pixels of some, keys as they are.

python tests/golden/ifrnet/crop.py ../shared/golden/ifrnet
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = {"small/t0.25/image": 3, "odd/t0.5/image": 4, "odd_scale0.8/t0.5/image": 2, "small/t0.5/flow0": 1}
"""Tensors and the step in pixels at which they are taken, on top of the step at which the whole set has them."""


def main(source: Path) -> None:
    for name in ("IFRNet", "IFRNet_L", "IFRNet_S"):
        with np.load(source / f"{name}.npz") as whole:
            kept = {key: whole[key][..., ::step, ::step] for key, step in KEPT.items()}
        np.savez_compressed(HERE / f"{name}.npz", **kept)
        facts = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        tensors = {
            key: {"stride": facts["tensors"][key]["stride"] * step, "full_shape": facts["tensors"][key]["full_shape"]}
            for key, step in KEPT.items()
        }
        about = {"repo": facts["repo"], "commit": facts["commit"], "recipe": facts["recipe"]}
        write(f"{name}.json", {**about, "tensors": tensors})
        write(f"{name}.keys.json", json.loads((source / f"{name}.keys.json").read_text(encoding="utf-8")))


def write(name: str, data: object) -> None:
    (HERE / name).write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
