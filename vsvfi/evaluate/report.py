"""Scores of several methods as a table, a plot and JSON. Where the scores come from: `rebuild.py`."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from .rebuild import Score


@dataclass(frozen=True)
class Result:
    """One method on one clip.

    Attributes:
        method: a model's name or a baseline's.
        scores: one per rebuilt frame, in order.
    """

    method: str
    scores: list[Score]

    @property
    def counted(self) -> list[Score]:
        """The frames that means are taken over: those not rebuilt across a known cut, unless all are."""
        return [score for score in self.scores if not score.across_cut] or self.scores

    @property
    def psnr(self) -> float:
        """Mean in dB over the frames that count."""
        return statistics.fmean(score.psnr for score in self.counted)

    @property
    def ssim(self) -> float:
        """Mean over the frames that count."""
        return statistics.fmean(score.ssim for score in self.counted)

    @property
    def worst(self) -> Score:
        """The frame with the lowest PSNR of those that count."""
        return min(self.counted, key=lambda score: score.psnr)


def table(results: list[Result], title: str) -> Table:
    """One line per method, the best figure of each column in bold; `title` says what was measured."""
    best_psnr = max(result.psnr for result in results)
    best_ssim = max(result.ssim for result in results)
    shown = Table(title=title, title_style="bold", title_justify="left")
    shown.add_column("model", style="cyan", no_wrap=True)
    for heading in ("PSNR dB", "SSIM", "worst dB", "at frame", "frames"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        shown.add_row(
            result.method,
            _marked(f"{result.psnr:.2f}", result.psnr == best_psnr),
            _marked(f"{result.ssim:.4f}", result.ssim == best_ssim),
            f"{result.worst.psnr:.2f}",
            str(result.worst.frame),
            str(len(result.counted)),
        )
    return shown


def write_json(path: Path, results: list[Result], about: dict[str, Any]) -> None:
    """Means and every frame's figures, with `about` (date, version, machine ...) at the head."""
    rows = [
        {
            "method": result.method,
            "psnr": result.psnr,
            "ssim": result.ssim,
            "worst": asdict(result.worst),
            "frames": [asdict(score) for score in result.scores],
        }
        for result in results
    ]
    path.write_text(json.dumps({**about, "results": rows}, indent=1) + "\n", encoding="utf-8")


def write_plot(path: Path, results: list[Result], title: str) -> None:
    """PSNR and SSIM of every rebuilt frame, a line per method; frames across a cut are marked."""
    from matplotlib.figure import Figure  # the Figure alone: no window system, no global state

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, kind in ((upper, "psnr"), (lower, "ssim")):
        for result in results:
            mean = f"{result.psnr:.2f} dB" if kind == "psnr" else f"{result.ssim:.4f}"
            frames = [score.frame for score in result.scores]
            values = [getattr(score, kind) for score in result.scores]
            axes.plot(frames, values, marker=".", linewidth=1.2, label=f"{result.method}  {mean}")
        for score in results[0].scores:
            if score.across_cut:
                axes.axvspan(score.frame - 1, score.frame + 1, color="0.85", zorder=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    upper.set_ylabel("PSNR, dB")
    lower.set_ylabel("SSIM")
    lower.set_xlabel("frame (grey: rebuilt across a cut, not in the mean)" if _any_cut(results) else "frame")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=110)


def _any_cut(results: list[Result]) -> bool:
    return any(score.across_cut for score in results[0].scores)


def _marked(text: str, best: bool) -> str:
    return f"[bold green]{text}[/]" if best else text
