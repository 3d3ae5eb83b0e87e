"""Makes splat_a.npz and correlation_*.npz beside it from the whole set: some cases, some places, single precision.

python tests/golden/warping/crop.py ../shared/golden/warping
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LEFT_OUT = ("_zero", "_half", "_medium")
STEPS = {"lookup": 2, "lookup_transposed": 2}


def main(source: Path) -> None:
    for name in ("splat_a", "correlation_local", "correlation_allpairs"):
        with np.load(source / f"{name}.npz") as whole:
            kept = {}
            for key in whole.files:
                if not key.endswith(LEFT_OUT):
                    step = STEPS.get(key, 1)
                    kept[key] = whole[key][..., ::step, ::step].astype(np.float32)
        np.savez_compressed(HERE / f"{name}.npz", **kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
