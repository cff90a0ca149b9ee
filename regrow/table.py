"""The door `regrow table`: runs side by side, a row each, as their folders tell. It loads no model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Drawn

from mcts.errors import InputError
from regrow import atomic
from regrow.outcome import Outcome, read_outcome, run_folders
from regrow.record import NOT_RECORDED

CSV, HTML = ".csv", ".html"
WIDTH = 160


@dataclass(frozen=True, slots=True)
class Table:
    """Runs side by side.

    Attributes:
        keys: The overrides in which they differ.
        figures: The figures that at least one has.
    """

    outcomes: tuple[Outcome, ...]
    keys: tuple[str, ...]
    figures: tuple[str, ...]

    def label(self, outcome: Outcome) -> str:
        """What tells the run from the others: its overrides if they do, else its folder."""
        said = [self._told(one) for one in self.outcomes]
        return self._told(outcome) if self.keys and len(set(said)) == len(said) else outcome.folder.name

    def _told(self, outcome: Outcome) -> str:
        return ", ".join(f"{key} {setting(outcome, key) or '-'}" for key in self.keys)


def tabulate(folders: Sequence[str], settings: Sequence[str]) -> None:
    """Print the runs at or beneath `folders`, and write them to `out=FILE.csv` or `out=FILE.html`.

    Raises:
        InputError: No runs there, another setting than `out`, or a file that cannot be read or written.
    """
    out = _out(settings)
    table = table_of([read_outcome(run) for root in _existing(folders) for run in run_folders(root)])
    if not table.outcomes:
        raise InputError(f"{', '.join(folders)}: no run there, expected folders that regrow train or evaluate left")
    show(table)
    if out is None:
        return
    if out.suffix == HTML:
        from regrow.table_page import page_of

        text = page_of(table)
    else:
        text = csv_of(table)
    try:
        atomic.write_text(out, text)
    except OSError as error:
        raise InputError(f"out={out}: {error.strerror}, expected a file that can be written") from error


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """The runs with what tells them apart."""
    given = dict.fromkeys(key for one in outcomes for key in one.overrides if key.split(".")[0] not in NOT_RECORDED)
    keys = tuple(key for key in given if len({setting(one, key) for one in outcomes}) > 1)
    figures = tuple(dict.fromkeys(name for one in outcomes for name in one.figures))
    return Table(tuple(outcomes), keys, figures)


def setting(outcome: Outcome, key: str) -> str:
    """The value of an override in a run: as recorded, or as it was given; empty where it is a group not chosen."""
    found: Any = outcome.config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found is None or isinstance(found, Mapping):
        return outcome.overrides.get(key, "")
    return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))


def show(table: Table, console: Console | None = None) -> None:
    """Print the table; beneath each figure stands its interval."""
    is_told = any(table.label(one) == one.folder.name for one in table.outcomes)
    heads = [*(["run"] if is_told else []), *table.keys, *table.figures, "tokens", "seconds", "status"]
    drawn = Drawn(*heads, box=None, pad_edge=False)
    for one in table.outcomes:
        first = [one.folder.name] if is_told else []
        cells = [_shown(one, name) for name in table.figures]
        spent = (f"{one.tokens:,}", f"{one.seconds:,.1f}")
        status = f"{one.status}{': ' if one.why else ''}{one.why}"
        drawn.add_row(*first, *(setting(one, key) for key in table.keys), *cells, *spent, status)
    (console or Console(highlight=False, markup=False, width=WIDTH)).print(drawn)


def csv_of(table: Table) -> str:
    """The table with a column for each end of an interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    bounds = [column for name in table.figures for column in (name, f"{name}_low", f"{name}_high")]
    writer.writerow(["run", *table.keys, "status", "why", *bounds, "tokens", "seconds"])
    for one in table.outcomes:
        found = [one.figures.get(name) for name in table.figures]
        cells = [cell for it in found for cell in ((it.value, it.low, it.high) if it else ("", "", ""))]
        settings = [setting(one, key) for key in table.keys]
        writer.writerow([one.folder, *settings, one.status, one.why, *cells, one.tokens, round(one.seconds, 2)])
    return text.getvalue()


def _shown(outcome: Outcome, name: str) -> str:
    figure = outcome.figures.get(name)
    if figure is None:
        return ""
    return f"{figure.value:.3f}" + ("" if figure.low is None else f"\n{figure.low:.2f} to {figure.high:.2f}")


def _existing(folders: Sequence[str]) -> list[Path]:
    if not folders:
        raise InputError("no folder, expected regrow table runs/...")
    for name in folders:
        if not Path(name).is_dir():
            raise InputError(f"{name}: no folder, expected one of runs")
    return [Path(name) for name in folders]


def _out(settings: Sequence[str]) -> Path | None:
    if other := [one for one in settings if not one.startswith("out=")]:
        raise InputError(f"{other[0]!r}: expected out=FILE{CSV} or out=FILE{HTML}; folders stand by themselves")
    if not settings:
        return None
    out = Path(settings[-1].removeprefix("out="))
    if out.suffix not in (CSV, HTML):
        raise InputError(f"out={out}: expected a name that ends in {CSV} or {HTML}")
    return out
