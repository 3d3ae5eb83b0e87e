"""Registers of every kernel on every architecture, as NVRTC's assembler reports them: a table in Markdown.

python -m tests.measure.registers > docs/benchmarks/registers.md
"""

from __future__ import annotations

import re

from tests.cuda_on_cpu.test_compile import ARCHITECTURES, compiled, spills
from vsvfi.evaluate import environment
from vsvfi.ops import kernels


def main() -> None:
    """See the module."""
    from cupy.cuda import nvrtc

    major, minor = nvrtc.getVersion()
    print("# Registers of the kernels\n")
    print("Fewest and most of all instances of a file (types, index widths, paddings), a thread, and what they spilled")
    print(f"to memory, in bytes. NVRTC {major}.{minor}; commit {environment.commit()}.\n")
    print("```sh\npython -m tests.measure.registers > docs/benchmarks/registers.md\n```\n")
    print("| file | instances | " + " | ".join(f"sm_{a}" for a in ARCHITECTURES) + " | spilled |")
    print("|---|---:|" + "---:|" * (len(ARCHITECTURES) + 1))
    for stem, instances in kernels.INSTANCES.items():
        cells, spilled = [], 0
        for architecture in ARCHITECTURES:
            log = compiled(stem, architecture)
            registers = [int(number) for number in re.findall(r"Used (\d+) registers", log)]
            cells.append(f"{min(registers)}-{max(registers)}")
            spilled += sum(spills(log))
        print(f"| {stem}.cu | {len(instances)} | {' | '.join(cells)} | {spilled} |")


if __name__ == "__main__":
    main()
