"""What is to be reached, held against the rows that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .clock import Row

type Report = Mapping[str, Sequence[Row]]


def met(report: Report) -> list[Row]:
    """A row a target: what was wanted, the worst that was found and where."""
    kernels, models, clips = (report.get(part, []) for part in ("kernels", "models", "filter"))
    rows = [
        _least(
            "backward_warp, share of copy rate", 0.8, _of(kernels, "backward_warp "), "kernel", "share of copy rate"
        ),
        _least("from_planes, share of copy rate", 0.8, _of(kernels, "from_planes "), "kernel", "share of copy rate"),
        _least("to_planes, share of copy rate", 0.8, _of(kernels, "to_planes "), "kernel", "share of copy rate"),
        _least("splat softmax, times scatter_add", 3.0, _splats(kernels), "kernel", "times as fast"),
        _least("best engine in fp16, times plain fp32", 2.0, _best(models), "model", "times as fast"),
        _least("filter, share of the bare model's rate", 0.95, _slow(clips), "model", "filter / bare"),
        _most("submit, ms of the host", 0.3, clips, "model", "submit ms"),
        _most("different results", 1, report.get("determinism", []), "model", "different results"),
        _most("growth of device memory, MiB", 1.0, _growth(report.get("memory", [])), "model", "growth"),
    ]
    return [row for row in rows if row]


def _of(rows: Iterable[Row], start: str) -> list[Row]:
    return [row for row in rows if str(row.get("kernel", "")).startswith(start)]


def _splats(rows: Iterable[Row]) -> list[Row]:
    return [row for row in _of(rows, "splat softmax ") if row["rival"] == "scatter_add"]


def _best(rows: Iterable[Row]) -> list[Row]:
    """Of each network and size the engine that was fastest."""
    found: dict[object, Row] = {}
    for row in rows:
        if row.get("precision") == "fp16" and "times as fast" in row:
            key = row["model"], row["size"]
            if key not in found or _number(row, "times as fast") > _number(found[key], "times as fast"):
                found[key] = row
    return list(found.values())


def _slow(rows: Iterable[Row]) -> list[Row]:
    """Where the model takes more than 2 ms."""
    return [row for row in rows if "bare ms" in row and _number(row, "bare ms") > 2]


def _growth(rows: Iterable[Row]) -> list[Row]:
    key = "device MiB"
    return [
        {**row, "growth": _number(row, f"{key} late") - _number(row, f"{key} early")}
        for row in rows
        if f"{key} late" in row
    ]


def _least(target: str, wanted: float, rows: Iterable[Row], name: str, key: str) -> Row:
    there = [row for row in rows if key in row]
    if not there:
        return {}
    worst = min(there, key=lambda row: _number(row, key))
    return _row(target, f"at least {wanted:g}", worst, name, key) | {"met": _number(worst, key) >= wanted}


def _most(target: str, wanted: float, rows: Iterable[Row], name: str, key: str) -> Row:
    there = [row for row in rows if key in row]
    if not there:
        return {}
    worst = max(there, key=lambda row: _number(row, key))
    return _row(target, f"at most {wanted:g}", worst, name, key) | {"met": _number(worst, key) <= wanted}


def _row(target: str, wanted: str, worst: Row, name: str, key: str) -> Row:
    where = " ".join(str(worst[part]) for part in (name, "size", "engine") if part in worst)
    return {"target": target, "wanted": wanted, "worst": worst[key], "where": where}


def _number(row: Row, key: str) -> float:
    value = row[key]
    assert isinstance(value, (int, float)), "a figure"
    return value
