"""The tables of `docs/objectives.md`, made from the figures of `docs/objectives.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learning_tables import share
from objectives_figures import ALONE, CONTROL, ROWS
from page_marks import fill, table

NAMES = {f"{CONTROL}rest_em": "ReST-EM (control)", f"{CONTROL}base_only": "base data only (control)"}
"""How controls are called."""
HEADS = {"greedy": "greedy", "sample": "sampled", "search": "search", "best_of_n": "best-of-N"}


def first_table(task: dict[str, Any]) -> str:
    """Accuracy after one round with 95 % intervals, and what it was learned from."""
    rows = []
    for name, row in task["rows"].items():
        cells = [_interval(row["eval"].get(column)) for column in ROWS]
        cost = [str(row[key]) if key in row else "" for key in ("lessons", "steps")]
        tokens = f"{row['tokens'] / 1000:.0f}" if "tokens" in row else ""
        seconds = f"{row['seconds']:.0f}" if "seconds" in row else ""
        rows.append([NAMES.get(name, name), *cells, *cost, tokens, seconds])
    heads = ["objective", *HEADS.values(), "lessons", "steps", "thousand tokens", "seconds of training"]
    return table(heads, rows)


def first_tests_table(task: dict[str, Any]) -> str:
    """Paired differences to the controls and to the supervised objective."""
    objectives = {name: row["tests"] for name, row in task["rows"].items() if "tests" in row}
    columns = list(dict.fromkeys((test["of"], test["over"]) for tests in objectives.values() for test in tests))
    rows = []
    for name, tests in objectives.items():
        by_column = {(test["of"], test["over"]): test for test in tests}
        rows.append([name, *(_difference(by_column.get(column)) for column in columns)])
    heads = [f"{HEADS[of]}, over {NAMES.get(over, over)}" for of, over in columns]
    return table(["objective", *heads], rows)


def rounds_table(task: dict[str, Any], column: str) -> str:
    """Accuracy over rounds: the mean over seeds and each."""
    names = list(dict.fromkeys(name for done in task["rounds"] for name in done["rows"]))
    names = [name for name in names if any(column in done["rows"].get(name, {}) for done in task["rounds"])]
    rows = [
        [str(done["round"]), *(share(done["rows"][name][column]) if name in done["rows"] else "" for name in names)]
        for done in task["rounds"]
    ]
    return table(["round", *(NAMES.get(name, name) for name in names)], rows)


def rounds_tests_table(task: dict[str, Any]) -> str:
    """Paired differences to the supervised objective over problems, the mean over seeds."""
    rows = [
        [str(done["round"]), test["objective"], HEADS[test["of"]], _difference(test), str(test["n"])]
        for done in task["rounds"]
        for test in done["tests"]
    ]
    return table(["round", "objective", "of", "difference to supervised", "problems"], rows)


def tune_table(rows: Sequence[dict[str, Any]]) -> str:
    """Variants of settings after one round."""
    body = [
        [row["task"], row["objective"], row["settings"], *(f"{row[column]:.3f}" for column in ROWS)] for row in rows
    ]
    return table(["task", "objective", "settings", *HEADS.values()], body)


def render(figures: dict[str, Any], page: Path) -> None:
    """Put the tables between their marks in the page."""
    tables: dict[str, str] = {}
    command = figures["command"]
    for name, task in figures["first"].items():
        tables[f"{name} first facts"] = _facts(task, f"Seed {task['seed']}", command)
        tables[f"{name} first"] = first_table(task)
        tables[f"{name} first tests"] = first_tests_table(task)
    for name, task in figures["rounds"].items():
        tables[f"{name} rounds facts"] = _facts(task, f"Seeds {', '.join(map(str, task['seeds']))}", command)
        for column in (*ALONE, "search"):
            tables[f"{name} rounds {column}"] = rounds_table(task, column)
        tables[f"{name} rounds tests"] = rounds_tests_table(task)
    if figures["tune"]:
        commits = ", ".join(sorted({row["commit"] for row in figures["tune"]}))
        tables["tune facts"] = f"Commit {commits}; `{command} --tune`."
        tables["tune"] = tune_table(figures["tune"])
    fill(page, tables)


def _facts(task: dict[str, Any], seeds: str, command: str) -> str:
    machine = task["hardware"]
    return f"{seeds}; commit {', '.join(task['commits'])}; {machine['cpu']}, {machine['cores']} cores; `{command}`."


def _interval(cell: dict[str, Any] | None) -> str:
    return f"**{cell['accuracy']:.3f}** ({cell['low']:.3f} to {cell['high']:.3f})" if cell else ""


def _difference(test: dict[str, Any] | None) -> str:
    if test is None:
        return ""
    p = f"{test['p_value']:.3f}" if test["p_value"] >= 0.001 else "< 0.001"
    return f"{test['difference']:+.3f} ({test['low']:+.3f} to {test['high']:+.3f}), p {p}"
