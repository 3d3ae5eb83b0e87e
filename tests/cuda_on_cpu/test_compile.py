"""NVRTC compiles every instance of every kernel for every architecture, and none spills a register to memory."""

from __future__ import annotations

import re

import pytest

from vsvfi.ops import kernels

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
MOST_REGISTERS = 128
"""Two blocks of 256 threads fit on a multiprocessor then (65,536 registers), which is what hides the memory's delay."""


def compiled(stem: str, architecture: int, source: str | None = None) -> str:
    """NVRTC's and the assembler's reports, as text."""
    pytest.importorskip("cupy", reason="CuPy is not installed: pip install -e '.[cuda13]'")
    from cupy.cuda import nvrtc

    program = nvrtc.createProgram(source or kernels.source(stem), f"{stem}.cu", [], [])
    try:
        for instance in kernels.INSTANCES[stem]:
            nvrtc.addNameExpression(program, instance)
        options = (*kernels.OPTIONS, f"-arch=sm_{architecture}", "--ptxas-options=-v")
        try:
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError:
            pytest.fail(nvrtc.getProgramLog(program), pytrace=False)
        for instance in kernels.INSTANCES[stem]:
            assert nvrtc.getLoweredName(program, instance)
        assert len(nvrtc.getCUBIN(program)) > 1000
        return str(nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)


def spills(log: str) -> list[int]:
    """Bytes of local memory of every kernel: its stack frame, what it stores there and what it loads."""
    found = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    return [sum(map(int, each)) for each in found]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: f"sm_{a}")
@pytest.mark.parametrize("stem", kernels.INSTANCES)
def test_every_instance(stem: str, architecture: int, record_property) -> None:
    log = compiled(stem, architecture)
    registers = [int(number) for number in re.findall(r"Used (\d+) registers", log)]
    assert len(registers) == len(spills(log)) == len(kernels.INSTANCES[stem])
    record_property("registers", f"{min(registers)} to {max(registers)}")
    assert not any(spills(log))
    assert max(registers) <= MOST_REGISTERS
    assert "warning" not in log


def test_a_spill_would_be_seen() -> None:
    """An array that is indexed at run time lies in local memory: so it is in the report."""
    source = (
        "template <typename I> __global__ void bilinear_slope_spilling(const int* at, float* out) {\n"
        "  volatile float kept[64];\n  for (int i = 0; i < 64; ++i) kept[i] = out[i];\n"
        "  out[0] = kept[at[0]];\n}\n"
        "template __global__ void bilinear_slope_spilling<int>(const int*, float*);\n"
    )
    log = compiled("bilinear_slope", 90, kernels.source("bilinear_slope") + source)
    assert any(spills(log))


def test_every_file_has_its_instances(root) -> None:
    assert {file.stem for file in (root / "cuda").glob("*.cu")} == set(kernels.INSTANCES)
