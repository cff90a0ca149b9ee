"""The report of a contest: `report.json`, a page with the curve over budgets, and a table on the terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mcts.budget import Unit
from regrow import atomic, provenance
from regrow.manifest import Run
from regrow.report_page import page, plot, section, table, text
from regrow.report_plots import SERIES, Figure, axis_title, colour, layout
from regrow.standings import Standing

SCHEMA = 1
REPORT_JSON, REPORT_HTML = "report.json", "report.html"
_NOTE = (
    "The same problems for all, answers compared at equal budgets. Intervals: 95 %, bootstrap over problems; "
    "differences are paired, problem by problem. "
)
_UNIT_NOTES = {
    Unit.TOKENS: "Budgets are generated tokens; the solution that reaches one is still finished, as its tokens tell.",
    Unit.SIMULATIONS: "Budgets are simulations; one of best-of-N is one solution, unless search.width says more.",
}
_ACCOUNT_NOTE = "What every strategy spent with its largest budget, and what the policy itself counted."


def write_report(
    run: Run, seed: int, standings: Sequence[Standing], accounts: Sequence[Mapping[str, Any]], unit: Unit
) -> Path:
    """Write both files into the run directory, and the table to standard output.

    Args:
        accounts: One a strategy and seed: what it spent.
        unit: Of the budgets.

    Returns:
        The page.
    """
    report = {
        "schema": SCHEMA,
        "command": "evaluate strategies",
        "commit": run.manifest.commit,
        "config": run.manifest.config,
        "hardware": provenance.hardware(),
        "seed": seed,
        "standings": [dataclasses.asdict(one) for one in standings],
        "accounts": [dict(account) for account in accounts],
    }
    atomic.write_json(run.folder / REPORT_JSON, report)
    sections = [
        section(f"Accuracy over {unit}", _NOTE + _UNIT_NOTES[unit], plot("curve"), _html_table(standings)),
        section("Accounts", _ACCOUNT_NOTE, _accounts_table(accounts)),
    ]
    html = page("regrow evaluate", report, sections, {"curve": curve(standings, unit)})
    atomic.write_text(run.folder / REPORT_HTML, html)
    return run.folder / REPORT_HTML


def show(standings: Sequence[Standing], console: Console | None = None) -> None:
    """Print the table."""
    columns = ("budget", "strategy", "chosen by", "tokens", "accuracy", "interval", "seeds", "above", "difference")
    drawn = Table(*columns, box=None, pad_edge=False)
    for one in standings:
        drawn.add_row(*_cells(one))
    (console or Console(highlight=False, markup=False, width=140)).print(drawn)


def curve(standings: Sequence[Standing], unit: Unit = Unit.TOKENS) -> Figure:
    """Accuracy over generated tokens or simulations, a line a strategy, on a logarithmic axis."""
    data = []
    for index, name in enumerate(dict.fromkeys(one.strategy for one in standings)):
        points = [one for one in standings if one.strategy == name]
        data.append(
            {
                "name": name,
                "mode": "lines+markers",
                "x": [one.tokens if unit is Unit.TOKENS else one.budget for one in points],
                "y": [one.accuracy for one in points],
                "error_y": {
                    "array": [one.high - one.accuracy for one in points],
                    "arrayminus": [one.accuracy - one.low for one in points],
                    "symmetric": False,
                    "thickness": 1.2,
                    "width": 3,
                },
                "hovertemplate": f"%{{x:.0f}} {unit}: %{{y:.1%}}",
                "line": {"color": colour(index), "width": 2, "dash": "solid" if index < SERIES else "dot"},
                "marker": {"size": 7, "symbol": "circle" if index < SERIES else "diamond"},
            }
        )
    budgets = sorted({one.budget for one in standings})
    ticks = {"tickvals": budgets, "ticktext": [f"{budget:,}" for budget in budgets]}
    x = {"type": "log", "title": axis_title(f"{unit} on a problem"), **ticks}
    y = {"tickformat": ".0%", "rangemode": "tozero"}
    return {"data": data, "layout": layout("Accuracy, 95 % intervals", x, y)}


def _cells(one: Standing) -> list[str]:
    is_reference = one.strategy == one.over
    return [
        f"{one.budget:,}",
        one.strategy,
        one.choice,
        f"{one.tokens:.0f}",
        f"{one.accuracy:.3f}",
        f"{one.low:.3f} to {one.high:.3f}",
        " ".join(f"{share:.3f}" for share in one.by_seed),
        "" if is_reference else one.over,
        "" if is_reference else f"{one.difference:+.3f} ({one.difference_low:+.3f} to {one.difference_high:+.3f})",
    ]


def _html_table(standings: Sequence[Standing]) -> str:
    head = ["budget", "strategy", "chosen by", "tokens", "accuracy", "interval", "seeds", "above", "difference"]
    return table(head, [map(text, _cells(one)) for one in standings])


def _accounts_table(accounts: Sequence[Mapping[str, Any]]) -> str:
    head = list(accounts[0])
    return table(
        [name.replace("_", " ") for name in head],
        [[f"{value:,}" if isinstance(value, int) else text(value) for value in one.values()] for one in accounts],
    )
