"""The report on a PRM's judgement of steps: `report.json`, and tables on the terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mcts.errors import printable
from regrow import atomic, provenance
from regrow.config import Config
from regrow.manifest import Run
from regrow.marked import Benchmark

SCHEMA = 1
REPORT_JSON = "report.json"
_HEADS = {
    Benchmark.PROCESS_BENCH: ("error_accuracy", "correct_accuracy", "F1"),
    Benchmark.PRM_BENCH: ("f1", "negative_f1", "PRMScore"),
}
"""What is shown of `Row.figures`, and the name of `Row.score`."""


@dataclass(frozen=True, slots=True)
class Row:
    """What some values are worth on some solutions.

    Attributes:
        file: Name of the file without its ending; `mean` for the mean over files.
        kind: Class of error, or `all`.
        values: Whose: `prm`, or `shuffled`, `depth only`, `constant`, which need none.
        threshold: Below it a step is called wrong.
        figures: What the score is made of; None is not known, as there was nothing to count.
        score: F1 of ProcessBench, PRMScore of PRMBench.
        low: Lower end of its 95 % bootstrap interval over solutions.
        high: Upper end.
    """

    benchmark: Benchmark
    file: str
    kind: str
    values: str
    solutions: int
    threshold: float
    figures: dict[str, float | None]
    score: float | None
    low: float | None
    high: float | None


def write_report(run: Run, config: Config, rows: Sequence[Row]) -> Path:
    """Write `report.json` into the run directory. Returns its path."""
    report = {
        "schema": SCHEMA,
        "command": "evaluate prm.bench",
        "commit": run.manifest.commit,
        "config": run.manifest.config,
        "hardware": provenance.hardware(),
        "seed": config.seed,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    atomic.write_json(run.folder / REPORT_JSON, report)
    return run.folder / REPORT_JSON


def show(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print a table for each benchmark."""
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        *figures, score = _HEADS[benchmark]
        heads = [name.replace("_", " ") for name in (*figures, score)]
        drawn = Table("file", "class", "values", "solutions", "threshold", *heads, "interval", box=None, pad_edge=False)
        for row in rows:
            if row.benchmark is benchmark:
                cells = [_shown(row.figures.get(name)) for name in figures]
                span = f"{_shown(row.low)} to {_shown(row.high)}" if row.low is not None else ""
                counts = (f"{row.solutions:,}", f"{row.threshold:.3f}")
                drawn.add_row(row.file, printable(row.kind), row.values, *counts, *cells, _shown(row.score), span)
        (console or Console(highlight=False, markup=False, width=140)).print(drawn)


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"
