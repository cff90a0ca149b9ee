"""What was found: a row a setting and budget, on the terminal and in a file."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mcts.errors import InputError
from regrow import atomic
from regrow.report import wilson_interval
from regrow.research.tally import Tally

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One setting at one budget.

    Attributes:
        choice: What chose among the solutions.
        trees: How many were searched again.
        coverage: The share of them in which everything that the setting asked for had been generated.
        accuracy: The share of the covered trees that are answered correctly; None where there are none. They are no
            random sample of all.
        low: Lower end of its 95 % Wilson interval.
        high: Upper end.
        at_least: Accuracy over all trees if those not covered are answered wrong.
        at_most: If they are answered correctly. What the setting does to these problems online, with these draws
            first, lies between the two.
        so_far: If they answer with what they had when they asked for what was not there.
        tokens: Generated on a covered tree, mean.
    """

    setting: str
    choice: str
    budget: int
    trees: int
    coverage: float
    accuracy: float | None
    low: float | None
    high: float | None
    at_least: float
    at_most: float
    so_far: float
    tokens: float | None


def findings(tally: Tally, *, hides_choice: bool) -> list[Finding]:
    """All rows: budgets ascend, and of each the setting comes first that is correct most often at least.

    Args:
        hides_choice: Whether a checker chose, and not what the settings say.
    """
    found = [
        _finding(tally, s, b, hides_choice) for b in range(len(tally.terms.budgets)) for s in range(len(tally.settings))
    ]
    return sorted(found, key=lambda one: (one.budget, -one.at_least, -one.coverage))


def _finding(tally: Tally, s: int, b: int, hides_choice: bool) -> Finding:
    covered, correct, trees = int(tally.covered[s, b]), int(tally.correct[s, b]), tally.trees
    setting = tally.settings[s]
    low, high = wilson_interval(correct / covered, covered) if covered else (None, None)
    return Finding(
        setting=setting.words,
        choice="checker" if hides_choice else setting.strategy.choice.value,
        budget=tally.terms.budgets[b],
        trees=trees,
        coverage=covered / trees,
        accuracy=correct / covered if covered else None,
        low=low,
        high=high,
        at_least=correct / trees,
        at_most=(correct + trees - covered) / trees,
        so_far=int(tally.so_far[s, b]) / trees,
        tokens=int(tally.tokens[s, b]) / covered if covered else None,
    )


def write(path: Path, rows: Sequence[Finding], about: dict[str, Any]) -> None:
    """Write all rows as CSV or, with what they are `about`, as JSON, by the ending of `path`.

    Raises:
        InputError: Another ending, or a place that cannot be written to.
    """
    table = [dataclasses.asdict(row) for row in rows]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            atomic.write_json(path, {"schema": SCHEMA, **about, "findings": table})
        else:
            text = io.StringIO()
            writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Finding)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
            atomic.write_text(path, text.getvalue())
    except OSError as error:
        raise InputError(f"out={path}: {error.strerror}, expected a file that can be written") from error


def show(rows: Sequence[Finding], count: int, console: Console | None = None) -> None:
    """Print the first `count` rows of each budget."""
    columns = ("budget", "setting", "chosen by", "tokens", "coverage", "accuracy", "interval", "at least", "at most")
    drawn = Table(*columns, box=None, pad_edge=False)
    for row in _first(rows, count):
        drawn.add_row(*_cells(row))
    (console or Console(highlight=False, width=160)).print(drawn)


def _first(rows: Sequence[Finding], count: int) -> Iterator[Finding]:
    seen: dict[int, int] = {}
    for row in rows:
        seen[row.budget] = seen.get(row.budget, 0) + 1
        if seen[row.budget] <= count:
            yield row


def _cells(row: Finding) -> list[str]:
    def told(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    interval = "" if row.low is None else f"{row.low:.3f} to {row.high:.3f}"
    return [
        f"{row.budget:,}",
        row.setting,
        row.choice,
        told(row.tokens, ".0f"),
        f"{row.coverage:.3f}",
        told(row.accuracy, ".3f"),
        interval,
        f"{row.at_least:.3f}",
        f"{row.at_most:.3f}",
    ]
