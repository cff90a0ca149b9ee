"""The tables of `docs/prm_labels.md`, made from the figures of `docs/prm_labels.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from learning_tables import share
from page_marks import fill, table

EXACT = "exact"
"""The kind that a PRM could be at best."""


def of_seeds(prms: Sequence[Mapping[str, Any]], name: str) -> str:
    """A figure's mean over seeds, and each seed; nothing where it is not defined."""
    found = [one[name] for one in prms]
    return "" if None in found else share(found)


def truth_table(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """Telling steps apart from which the answer can still be reached: AUROC, overall and by depth."""
    depths = [depth for depth, value in _first(kinds)["auroc_by_depth"].items() if value is not None]
    best = _auroc(kinds[EXACT]) if EXACT in kinds else None
    rows = []
    for name, kind in kinds.items():
        mean = _auroc(kind)
        rows.append(
            [
                name,
                f"{kind['prms'][0]['training']['labels']:,.0f}",
                of_seeds(kind["prms"], "auroc"),
                f"{100 * mean / best:.0f} %" if mean and best else "",
                *(f"{fmean(one['auroc_by_depth'][depth] for one in kind['prms']):.3f}" for depth in depths),
            ]
        )
    head = ["trained on", "labels or pairs", "AUROC", "of exact", *(f"step {depth}" for depth in depths)]
    floor = ["depth only", "", of_seeds([_first(kinds)], "depth_only_auroc"), *[""] * (1 + len(depths))]
    return table(head, [*rows, floor])


def values_table(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """How near values come to the chance of success, and to the exact v*."""
    rows = [
        [
            name,
            kind["prms"][0]["predicts"],
            *(of_seeds(kind["prms"], f"skill_of_{target}") for target in ("success", "progress")),
            f"{fmean(one['within_0.1'] for one in kind['prms']):.3f}",
        ]
        for name, kind in kinds.items()
    ]
    first = _first(kinds)
    floors = (first["constant_within_0.1"], first["depth_only_within_0.1"])
    rows += [
        [f"{name} only", "", "", "", f"{floor:.3f}"] for name, floor in zip(("constant", "depth"), floors, strict=True)
    ]
    head = ["trained on", "predicts", "Brier skill, success", "skill, exact v*", "within .1 of v*"]
    return table(head, rows)


def accuracy_table(contests: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy of each strategy with each PRM at the largest budget, and the paired difference to the reference."""
    largest = max(row["budget"] for row in contests)
    at_largest = {(row["kind"], row["strategy"]): row for row in contests if row["budget"] == largest}
    strategies = list(dict.fromkeys(row["strategy"] for row in contests))
    rows = []
    for name in dict.fromkeys(row["kind"] for row in contests):
        cells = [at_largest[name, strategy] for strategy in strategies]
        rows.append([name, *(cell for row in cells for cell in (share(row["accuracy"]), _difference(row)))])
    over = contests[0]["over"]
    head = ["trained on", *(cell for strategy in strategies for cell in (strategy, f"above {over}"))]
    tokens = ", ".join(f"{strategy} {at_largest[over, strategy]['tokens']:.0f}" for strategy in strategies)
    return f"{table(head, rows)}\n\nTokens a problem: {tokens}."


def budgets_table(contests: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy at every budget: the mean over seeds."""
    budgets = sorted({row["budget"] for row in contests})
    found = {(row["kind"], row["strategy"], row["budget"]): fmean(row["accuracy"]) for row in contests}
    strategies = dict.fromkeys(row["strategy"] for row in contests)
    kinds = dict.fromkeys(row["kind"] for row in contests)
    rows = [
        [kind, strategy, *(f"{found[kind, strategy, budget]:.3f}" for budget in budgets)]
        for strategy in strategies
        for kind in kinds
    ]
    return table(["trained on", "strategy", *map(str, budgets)], rows)


def facts(task: Mapping[str, Any]) -> str:
    """Where the figures are from."""
    machine = task["hardware"]
    return (
        f"Seeds {', '.join(map(str, task['seeds']))}; {task['trees']:,} trees of {task['rounds']} round(s) "
        f"(commit {task['traces_commit']}), {task['steps']:,} steps a PRM, {task['problems']:,} test problems; "
        f"commit {task['commit']}; {machine['cpu']}, {machine['cores']} cores; `{task['command']}`."
    )


def render(figures: Mapping[str, Any], page: Path) -> None:
    """Put the tables between their marks in the page."""
    parts: dict[str, str] = {}
    for name, task in figures.items():
        parts[f"{name} facts"] = facts(task)
        parts[f"{name} truth"] = truth_table(task["kinds"])
        parts[f"{name} values"] = values_table(task["kinds"])
        parts[f"{name} accuracy"] = accuracy_table(task["contests"])
        parts[f"{name} budgets"] = budgets_table(task["contests"])
    fill(page, parts)


def _difference(row: Mapping[str, Any]) -> str:
    if row["kind"] == row["over"]:
        return ""
    return f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"


def _auroc(kind: Mapping[str, Any]) -> float | None:
    """The mean over seeds; None where all steps are of one kind."""
    found = [one["auroc"] for one in kind["prms"]]
    return None if None in found else fmean(found)


def _first(kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What no PRM decides is the same for all."""
    found: dict[str, Any] = next(iter(kinds.values()))["prms"][0]
    return found
