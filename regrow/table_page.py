"""The page of `regrow table`: its table and a plot, in one offline file."""

from __future__ import annotations

from collections.abc import Iterable

from regrow.outcome import Measured, Outcome
from regrow.report_page import page, plot, section, table, text
from regrow.report_plots import LABELS, Figure, colour, layout
from regrow.table import Table, setting

_NOTE = (
    "A run a row: the settings in which runs differ, the figures of its last round with their 95 % intervals, tokens "
    "generated, seconds of its finished stages."
)
_PLOTTED = 6
"""Figures in the plot, from the first: more cannot be told apart."""


def page_of(runs: Table) -> str:
    """The whole page."""
    reports = [one.report for one in runs.outcomes if one.report]
    made = {
        "seed": _distinct(report["seed"] for report in reports),
        "commit": _distinct(report["commit"] for report in reports),
        "hardware": reports[0]["hardware"] if reports else {},
    }
    sections = [section("Runs", _NOTE, _table(runs), plot("figures"))]
    return page("regrow table", made, sections, {"figures": figures(runs)})


def figures(runs: Table) -> Figure:
    """The runs beside each other, a mark a figure, with intervals."""
    plotted, data = runs.figures[:_PLOTTED], []
    for index, name in enumerate(plotted):
        having = [(place, one.figures[name]) for place, one in enumerate(runs.outcomes) if name in one.figures]
        data.append(
            {
                "name": text(LABELS.get(name, name)),
                "mode": "markers",
                "x": [place + 0.5 / len(plotted) * (index - (len(plotted) - 1) / 2) for place, _ in having],
                "y": [one.value for _, one in having],
                "error_y": {
                    "array": [0.0 if one.high is None else one.high - one.value for _, one in having],
                    "arrayminus": [0.0 if one.low is None else one.value - one.low for _, one in having],
                    "symmetric": False,
                    "thickness": 1.2,
                    "width": 3,
                },
                "text": [text(runs.label(runs.outcomes[place])) for place, _ in having],
                "hovertemplate": "%{text}: %{y:.1%}",
                "marker": {"size": 8, "color": colour(index)},
            }
        )
    labels = [text(runs.label(one)) for one in runs.outcomes]
    x = {"tickvals": list(range(len(labels))), "ticktext": labels, "range": [-0.5, len(labels) - 0.5]}
    y = {"tickformat": ".0%", "rangemode": "tozero"}
    return {"data": data, "layout": layout("Figures of each run, 95 % intervals", x, y)}


def _table(runs: Table) -> str:
    head = ["run", *map(text, runs.keys), *(LABELS.get(name, text(name)) for name in runs.figures), "tokens", "seconds"]
    return table([*head, "status"], [_row(runs, one) for one in runs.outcomes])


def _row(runs: Table, one: Outcome) -> list[str]:
    status = f"{one.status}{f'<small>{text(one.why)}</small>' if one.why else ''}"
    named = [text(one.folder.name), *(text(setting(one, key)) for key in runs.keys)]
    cells = [_cell(one.figures.get(name)) for name in runs.figures]
    return [*named, *cells, f"{one.tokens:,}", f"{one.seconds:,.1f}", status]


def _cell(figure: Measured | None) -> str:
    if figure is None:
        return "&ndash;"
    interval = "" if figure.low is None else f"<small>{figure.low:.3f} to {figure.high:.3f}</small>"
    return f"<b>{figure.value:.3f}</b>{interval}"


def _distinct(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
