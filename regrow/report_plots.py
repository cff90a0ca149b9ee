"""The plots of the report: plain plotly figures, without plotly. Colours are names of the page's variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from regrow.report import EVAL_NAMES

LABELS = {
    "greedy": "greedy",
    "sample": "sample",
    "search": "search",
    "best_of_n": "best of N",
    "oracle": "search, exact truth",
    "shuffled": "search, shuffled PRM",
}
TEACHERS = {"": "the loop", "base_only": "base data only", "rest_em": "ReST-EM", "base": "round 0"}
"""Who taught a policy; the loop itself has no name among the controls."""
SERIES = 8
"""Colours of the page; more series start again."""

Figure = dict[str, Any]


def names_of(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """The evaluations that at least one round has, in the report's order."""
    return [name for name in EVAL_NAMES if any(name in done["eval"] for done in rounds)]


def colour(index: int) -> str:
    """The colour of a series."""
    return f"var(--series-{index % SERIES})"


def layout(title: str, x: Mapping[str, Any], y: Mapping[str, Any], **more: object) -> Figure:
    """The layout of every figure: a title, its two axes, and what is more."""
    axis = {"gridcolor": "var(--line)", "zeroline": False, "automargin": True, "fixedrange": True}
    return {
        "title": {
            "text": title,
            "font": {"size": 14},
            "x": 0,
            "xref": "container",
            "y": 0.99,
            "yref": "container",
            "yanchor": "top",
        },
        "font": {"family": "system-ui, Segoe UI, Roboto, sans-serif", "size": 12, "color": "var(--ink)"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 8, "t": 64, "b": 8},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        "hoverlabel": {"bgcolor": "var(--card)", "font": {"color": "var(--ink)"}},
        "xaxis": axis | {"showgrid": False} | dict(x),
        "yaxis": axis | dict(y),
    } | more


def axis_title(text: str) -> Figure:
    """An axis' title."""
    return {"text": text, "font": {"size": 12, "color": "var(--soft)"}, "standoff": 4}


def _round_axis(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    numbers = [done["round"] for done in rounds]
    return {"title": axis_title("round"), "tickvals": numbers, "range": [min(numbers) - 0.5, max(numbers) + 0.5]}


def accuracy(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """Accuracy over rounds."""
    series = {
        LABELS[name]: {done["round"]: done["eval"][name] for done in rounds if name in done["eval"]}
        for name in names_of(rounds)
    }
    return _accuracies("Accuracy, 95 % intervals", rounds, series)


def controls(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """Greedy accuracy over rounds, of the loop and of its controls; all start from the same round 0."""
    series = {TEACHERS[""]: {done["round"]: done["eval"]["greedy"] for done in rounds}}
    for name in dict.fromkeys(name for done in rounds for name in done["controls"]):
        series[TEACHERS[name]] = {
            done["round"]: done["controls"].get(name, done)["eval"]["greedy"]
            for done in rounds
            if name in done["controls"] or done["round"] == 0
        }
    return _accuracies("Greedy accuracy, 95 % intervals", rounds, series)


def _accuracies(
    title: str, rounds: Sequence[Mapping[str, Any]], series: Mapping[str, Mapping[int, Mapping[str, Any]]]
) -> Figure:
    """Series over rounds, side by side so that their intervals can be told apart."""
    data = []
    for index, (name, rows) in enumerate(series.items()):
        data.append(
            {
                "name": name,
                "mode": "lines+markers",
                "x": [number + 0.05 * (index - (len(series) - 1) / 2) for number in rows],
                "y": [row["accuracy"] for row in rows.values()],
                "error_y": {
                    "array": [row["high"] - row["accuracy"] for row in rows.values()],
                    "arrayminus": [row["accuracy"] - row["low"] for row in rows.values()],
                    "symmetric": False,
                    "thickness": 1.2,
                    "width": 3,
                },
                "text": [f"round {number}: {100 * row['accuracy']:.1f} %" for number, row in rows.items()],
                "hoverinfo": "text+name",
                "line": {"color": colour(index), "width": 2},
                "marker": {"size": 7},
            }
        )
    y = {"tickformat": ".0%", "rangemode": "tozero"}
    return {"data": data, "layout": layout(title, _round_axis(rounds), y)}


def auroc_by_depth(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """A line per round over the depth of the step, the latest strongest; depths without an AUROC are left out."""
    data = []
    for index, done in enumerate(rounds):
        by_depth = done["prm_eval"]["auroc_by_depth"]
        depths = sorted((depth for depth in by_depth if by_depth[depth] is not None), key=int)
        data.append(
            {
                "name": f"round {done['round']}",
                "mode": "lines+markers",
                "x": [int(depth) for depth in depths],
                "y": [by_depth[depth] for depth in depths],
                "opacity": 1 - 0.7 * (len(rounds) - 1 - index) / len(rounds),
                "line": {"color": colour(0), "width": 2},
                "marker": {"size": 7},
            }
        )
    chance = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0.5, "y1": 0.5}
    chance |= {"line": {"color": "var(--soft)", "width": 1, "dash": "dash"}}
    note = {"text": "chance", "xref": "paper", "x": 1, "y": 0.5, "xanchor": "right", "yanchor": "bottom"}
    note |= {"showarrow": False, "font": {"color": "var(--soft)"}}
    look = layout(
        "AUROC by depth of the step",
        {"title": axis_title("step"), "dtick": 1},
        {},
        shapes=[chance],
        annotations=[note],
    )
    return {"data": data, "layout": look}


def seconds(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """Wall-clock per round, stages stacked in the order of the last round."""
    stages = list(dict.fromkeys(stage for done in reversed(rounds) for stage in done["seconds"]))
    data = [
        {
            "type": "bar",
            "name": escape(stage),
            "x": [done["round"] for done in rounds],
            "y": [done["seconds"].get(stage, 0) for done in rounds],
            "marker": {"color": colour(index)},
            "hovertemplate": "%{y:,.1f} s",
        }
        for index, stage in enumerate(stages)
    ]
    look = layout("Seconds per stage", _round_axis(rounds), {"rangemode": "tozero"}, barmode="stack", bargap=0.45)
    return {"data": data, "layout": look}


def tokens(rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """Tokens generated per round."""
    bars = {
        "type": "bar",
        "x": [done["round"] for done in rounds],
        "y": [done["tokens_generated"] for done in rounds],
        "marker": {"color": colour(0)},
        "hovertemplate": "%{y:,} tokens<extra></extra>",
    }
    y = {"rangemode": "tozero", "tickformat": "~s"}
    return {"data": [bars], "layout": layout("Tokens generated by search", _round_axis(rounds), y, bargap=0.45)}
