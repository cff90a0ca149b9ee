"""Parts of `report.html`: which models passed the gates, and which alarms rang."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regrow.alarms import ALARMS
from regrow.gate import MEASURES
from regrow.report_page import section, table, text
from regrow.report_plots import TEACHERS

_GATES_NOTE = (
    "New models are held against those they would replace, on validation problems that nothing else is measured on, "
    "and refused where the whole interval of the difference lies below zero (or the margin): then the round goes on "
    "with the old ones. A policy is judged by the share of its samples that is right; a PRM by how often, among the "
    "samples of the policy that is kept, it values a step that led to a right solution above one that did not."
)
_ALARMS_NOTE = (
    "Figures that tell of a loop going wrong while its accuracy may still look well. Higher is worse; above the "
    "threshold an alarm rings. Beneath what it reads stands the round's own figure. Alarms decide nothing."
)


def gates_section(rounds: Sequence[Mapping[str, Any]]) -> str:
    """The verdicts of all gates, and in a line each what was refused; empty where nothing was tried."""
    rows, refused = [], []
    for done, teacher, verdict in _verdicts(rounds):
        name = "PRM" if verdict["of"] == "prm" else verdict["of"]
        rows.append([f"{done['round']}", f"{name}<small>{TEACHERS[teacher]}</small>", *_tried(verdict)])
        if not verdict["is_kept"]:
            model = text(done["controls"][teacher]["policy"] if teacher else done[verdict["of"]])
            refused.append(f"<li>Round {done['round']}: the new {name} is refused; {model} stays.</li>")
    if not rows:
        return ""
    head = ["round", "model", "verdict", "measure", "new", "old", "difference", "interval", "problems"]
    lines = f'<ul class="rang">{"".join(refused)}</ul>' if refused else ""
    return section("Gates", _GATES_NOTE, lines, table(head, rows))


def alarms_section(rounds: Sequence[Mapping[str, Any]]) -> str:
    """A row an alarm, a column a round."""
    head = ["alarm", "rings above", *(f"round {done['round']}" for done in rounds)]
    readings = [{one["name"]: one for one in done["alarms"]} for done in rounds]
    rows = []
    for name, alarm in ALARMS.items():
        threshold = readings[-1][name]["threshold"]
        first = f"{name.replace('_', ' ')}<small>{text(alarm.reads)}</small>"
        cells = (_cell(its[name]) for its in readings)
        rows.append([first, "never" if threshold is None else f"{threshold:g}", *cells])
    return section("Alarms", _ALARMS_NOTE, _told(rounds), table(head, rows))


def _verdicts(rounds: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str, Mapping[str, Any]]]:
    """Round, teacher (the loop itself has no name) and verdict."""
    for done in rounds:
        for teacher, held in {"": done, **done["controls"]}.items():
            for verdict in held["verdicts"]:
                yield done, teacher, verdict


def _tried(verdict: Mapping[str, Any]) -> list[str]:
    said = "kept" if verdict["is_kept"] else '<b class="rang">refused</b>'
    measure, test = f"share {MEASURES[verdict['of']]}", verdict["test"]
    if test is None:
        return [f"{said}<small>too few problems tell</small>", measure, *["&ndash;"] * 5]
    return [
        said,
        measure,
        f"{verdict['new']:.3f}",
        f"{verdict['old']:.3f}",
        f"<b>{test['difference']:+.3f}</b>",
        f"{test['low']:+.3f} to {test['high']:+.3f}",
        f"{test['n']:,}",
    ]


def _cell(reading: Mapping[str, Any]) -> str:
    if reading["value"] is None:
        return "&ndash;"
    value = f"{reading['value']:.3f}"
    read = f'<b class="rang">{value} rings</b>' if reading["rang"] else value
    return f"{read}<small>{reading['figure']:.3f}</small>"


def _told(rounds: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"<li>Round {done['round']}, {one['name'].replace('_', ' ')}: {text(ALARMS[one['name']].says)}.</li>"
        for done in rounds
        for one in done["alarms"]
        if one["rang"]
    ]
    return f'<ul class="rang">{"".join(lines)}</ul>' if lines else ""
