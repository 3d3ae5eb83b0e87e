"""CUDA sources, compiled at run time through `vsvfi.ops.kernels`; one .cu file an idea.

torch and CuPy import NVIDIA's own `cuda.bindings` and `cuda.pathfinder`. With a checkout of this project anywhere on
sys.path (`python -c`, `python -m pytest` at its root) this folder is found as `cuda` before theirs: extending the
path lets both be found.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
