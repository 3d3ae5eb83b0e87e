"""Makes the files beside it from the whole set of published answers: every few pixels of some, keys as they are.

python tests/golden/gimmvfi/crop.py ../shared/golden/gimmvfi
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FILES = ("gimmvfi_r", "gimmvfi_f")
KEPT = {"img_025": 4, "img_050": 4, "img_075": 4, "flow_est_sub4": 1, "flowt_050_sub2": 2}
"""Answers, and the step in pixels at which they are taken."""


def main(source: Path) -> None:
    for name in FILES:
        with np.load(source / f"{name}.npz") as whole:
            kept = {key: whole[key][..., ::step, ::step] for key, step in KEPT.items()}
        np.savez_compressed(HERE / f"{name}.npz", **kept)
        facts = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        write(f"{name}.json", {key: facts[key] for key in ("repository", "commit", "gain_overrides")})
    for name in (f"{file}.keys.json" for file in (*FILES, "raft_things", "flowformer_sintel")):
        write(name, json.loads((source / name).read_text(encoding="utf-8")))


def write(name: str, data: object) -> None:
    (HERE / name).write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
