"""The figures of `docs/objectives.md`, read from finished runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from learning_figures import by_problem, report_of, scores_of

from regrow.comparison import compare

ALONE = ("greedy", "sample")
ROWS = (*ALONE, "search", "best_of_n")
ARMS = ("base_only", "rest_em")
"""The controls, which the baseline's run has beside it."""

CONTROL = "control "
"""Goes before the name of one that is a row: `rest_em` is an objective, too."""


def first_figures(runs: Mapping[str, Path], baseline: str) -> dict[str, Any] | None:
    """One round of each objective; None without the baseline's run.

    Args:
        runs: Objective -> run. Those that are not finished are left out.
    """
    done = {name: (folder, report) for name, folder in runs.items() if (report := report_of(folder))}
    if baseline not in done:
        return None
    source, report = done[baseline]
    start, control = report["rounds"][0], report["rounds"][1]["controls"]
    rows = {"round 0": {"eval": start["eval"]}}
    rows |= {CONTROL + arm: {"eval": control[arm]["eval"], "tokens": control[arm]["tokens_generated"]} for arm in ARMS}
    for name, (folder, its) in done.items():
        learned = json.loads((folder / "round-1/policy/stage.json").read_text())["result"]
        rows[name] = {
            "eval": {row: its["rounds"][1]["eval"][row] for row in ROWS},
            "tokens": its["rounds"][1]["tokens_generated"],
            "lessons": learned["lessons"],
            "steps": learned.get("steps", 0),
            "seconds": sum(
                its["rounds"][1]["seconds"][part] for part in its["rounds"][1]["seconds"] if "policy" in part
            ),
            "tests": _tests(folder, source, baseline, name),
        }
    commits = sorted({its["commit"] for _, its in done.values()})
    return {"rows": rows, "commits": commits, "hardware": report["hardware"], "seed": report["seed"]}


def _tests(folder: Path, source: Path, baseline: str, name: str) -> list[dict[str, Any]]:
    """An objective against the controls and, if it is another, the baseline; problem by problem."""
    ours = scores_of(folder, 1)
    tests = [
        compare(row, CONTROL + arm, ours[row], scores_of(source, 1, arm)[row])
        for arm in ARMS
        for row in ALONE
        if len(ours[row]) > 1
    ]
    if name != baseline:
        theirs = scores_of(source, 1)
        tests += [compare(row, baseline, ours[row], theirs[row]) for row in (*ALONE, "search")]
    return [asdict(test) for test in tests]


def best(tasks: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The objectives from the best to the worst, by the mean over tasks of greedy, sampled and search accuracy."""

    def mean(name: str) -> float:
        evals = [task["rows"][name]["eval"] for task in tasks.values()]
        return fmean(one[row]["accuracy"] for one in evals for row in (*ALONE, "search"))

    return sorted((name for name in names if all(name in task["rows"] for task in tasks.values())), key=mean)[::-1]


def rounds_figures(runs: Mapping[str, Sequence[Path]], baseline: str, seeds: Sequence[int]) -> dict[str, Any] | None:
    """Several rounds and seeds of a few objectives; None until the baseline's runs are finished.

    Args:
        runs: Objective -> its runs, one a seed. An objective with an unfinished run is left out.
    """
    done = {name: reports for name, folders in runs.items() if all(reports := [report_of(one) for one in folders])}
    if baseline not in done:
        return None
    count = len(done[baseline][0]["rounds"])
    arms = {arm: [one["rounds"] for one in done[baseline]] for arm in ARMS}
    rounds = []
    for number in range(count):
        rows = {
            name: {row: [one["rounds"][number]["eval"][row]["accuracy"] for one in reports] for row in ROWS}
            for name, reports in done.items()
        }
        if number:
            for arm, of in arms.items():
                evals = [one[number]["controls"][arm]["eval"] for one in of]
                rows[CONTROL + arm] = {row: [cell[row]["accuracy"] for cell in evals] for row in ALONE}
        tests = [
            asdict(compare(row, baseline, by_problem(runs[name], number, row), by_problem(runs[baseline], number, row)))
            | {"objective": name}
            for name in done
            if name != baseline and number
            for row in (*ALONE, "search")
        ]
        tokens = {
            name: [one["rounds"][number]["tokens_generated"] for one in reports] for name, reports in done.items()
        }
        rounds.append({"round": number, "rows": rows, "tests": tests, "tokens": tokens})
    reports = [one for its in done.values() for one in its]
    return {
        "seeds": list(seeds),
        "rounds": rounds,
        "commits": sorted({one["commit"] for one in reports}),
        "hardware": reports[0]["hardware"],
    }


def tuned_figures(runs: Mapping[tuple[str, str, str], Path]) -> list[dict[str, Any]]:
    """A row for each variant of (task, objective, settings) that is finished."""
    rows = []
    for (task, name, settings), folder in runs.items():
        if report := report_of(folder):
            accuracies = {row: report["rounds"][1]["eval"][row]["accuracy"] for row in ROWS}
            rows.append(
                {"task": task, "objective": name, "settings": settings, **accuracies, "commit": report["commit"]}
            )
    return rows
