"""The tables of `docs/learning.md`, made from the figures of `docs/learning.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from page_marks import fill, table

ARMS = {"": "the loop", "rest_em": "ReST-EM", "base_only": "base data only"}
CONTEST = {
    "best_of_n": "best-of-N",
    "search": "search",
    "oracle": "search, exact truth",
    "shuffled": "search, shuffled PRM",
}


def share(values: Sequence[float]) -> str:
    """The mean over seeds, and each seed."""
    return f"**{fmean(values):.3f}** ({' '.join(f'{value:.3f}' for value in values)})"


def learning_table(task: dict[str, Any], name: str) -> str:
    """Accuracy of the policy alone: the loop beside its controls."""
    arms = [arm for arm in ARMS if arm in task["rounds"][-1]["eval"]]
    rows = [
        [str(done["round"]), *(share(done["eval"][arm][name]) if arm in done["eval"] else "" for arm in arms)]
        for done in task["rounds"]
    ]
    return table(["round", *(ARMS[arm] for arm in arms)], rows)


def contest_table(task: dict[str, Any]) -> str:
    """Strategies at equal tokens."""
    names = [name for name in CONTEST if name in task["rounds"][-1]["eval"][""]]
    rows = [
        [str(done["round"]), *(share(done["eval"][""][name]) for name in names), f"{done['tokens']['search']:.0f}"]
        for done in task["rounds"]
    ]
    return table(["round", *(CONTEST[name] for name in names), "tokens a problem"], rows)


def budgets_table(task: dict[str, Any]) -> str:
    """Search against best-of-N at several budgets."""
    rows = [
        [
            str(row["round"]),
            str(row["budget"]),
            share(row["best_of_n"]),
            share(row["rollout_branching"]),
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
        ]
        for row in task["contest"]
    ]
    return table(["round", "tokens", "best-of-N", "search", "difference", "95 % interval"], rows)


def tests_table(task: dict[str, Any]) -> str:
    """Paired tests over problems."""
    names = {"base": "round 0", "best_of_n": "best-of-N", **ARMS}
    rows = [
        [
            str(done["round"]),
            test["of"],
            names[test["over"]],
            f"{test['difference']:+.3f}",
            f"{test['low']:+.3f} to {test['high']:+.3f}",
            f"{test['p_value']:.3f}" if test["p_value"] >= 0.001 else "< 0.001",
            str(test["n"]),
        ]
        for done in task["rounds"]
        for test in done["tests"]
    ]
    return table(["round", "of", "over", "difference", "95 % interval", "p", "problems"], rows)


def prm_table(task: dict[str, Any]) -> str:
    """PRM quality: AUROC by depth beside the yardstick."""
    depths = [depth for depth, value in task["rounds"][-1]["prm"][0]["auroc_by_depth"].items() if value is not None]
    rows = []
    for done in task["rounds"]:
        prm, exact = done["prm"], [one for one in done["exact"] if one]
        mean = fmean(one["auroc"] for one in prm)
        rows.append(
            [
                str(done["round"]),
                share([one["auroc"] for one in prm]),
                share([one["auroc"] for one in exact]) if exact else "",
                f"{100 * mean / fmean(one['auroc'] for one in exact):.0f} %" if exact else "",
                f"{fmean(one['depth_only_auroc'] for one in prm):.3f}",
                *(f"{fmean(one['auroc_by_depth'][depth] for one in prm):.3f}" for depth in depths),
                f"{fmean(one['brier_skill'] for one in prm):.2f}",
                f"{fmean(one['own_success_skill'] for one in prm):.2f}",
            ]
        )
    head = ["round", "AUROC", "exact labels", "of exact", "depth only", *(f"step {depth}" for depth in depths)]
    return table([*head, "Brier skill", "own success"], rows)


def numbers_left_table(task: dict[str, Any]) -> str:
    """AUROC of the PRM by how many numbers a countdown step leaves."""
    names = sorted(task["rounds"][0]["numbers_left"][0])
    rows = [
        [str(done["round"]), *(share([one[name] for one in done["numbers_left"]]) for name in names)]
        for done in task["rounds"]
    ]
    return table(["round", *(f"{name} left" for name in names)], rows)


def base_table(task: dict[str, Any]) -> str:
    """Whether the base had been fitted to its plateau, and whether what the policies say is the task's language."""
    names = ["base", "after base data only"]
    rows = [
        [f"loss on the base's validation data, {name}", share([losses[i] for losses in task["base_loss"]])]
        for i, name in enumerate(names[: len(task["base_loss"][0])])
    ]
    rows += [[f"valid steps, round {done['round']}", share(done["valid"])] for done in task["rounds"]]
    return table(["", "all seeds"], rows)


def sweep_table(rows: dict[str, Any]) -> str:
    """Variants of the recipe after one round."""
    names = ("greedy", "sample", "search", "best_of_n", "auroc")
    body = [[name, *(f"{row[key]:.3f}" for key in names)] for name, row in rows.items()]
    return table(["variant", "greedy", "sample", "search", "best-of-N", "PRM AUROC"], body)


def render(figures: dict[str, Any], page_path: Path) -> None:
    """Put the tables between their marks in the page."""
    tables: dict[str, str] = {}
    for name, task in figures["tasks"].items():
        machine = task["hardware"]
        seeds = ", ".join(map(str, task["seeds"]))
        minutes = sum(sum(done["seconds"]) for done in task["rounds"]) / 60
        tables[f"{name} facts"] = (
            f"Seeds {seeds}; commit {', '.join(task['commits'])}; {machine['cpu']}, {machine['cores']} cores; "
            f"`{figures['command']}`; {minutes:.0f} minutes in the loop's own stages."
        )
        tables[f"{name} base"] = base_table(task)
        tables[f"{name} greedy"] = learning_table(task, "greedy")
        tables[f"{name} sample"] = learning_table(task, "sample")
        tables[f"{name} search"] = contest_table(task)
        if task["contest"]:
            tables[f"{name} budgets"] = budgets_table(task)
            commits = ", ".join(sorted({row["commit"] for row in task["contest"]}))
            problems = task["contest"][0]["problems"]
            tables[f"{name} budgets facts"] = (
                f"{problems:,} test problems, commit {commits}; `{figures['command']} --contest`."
            )
        tables[f"{name} prm"] = prm_table(task)
        if "numbers_left" in task["rounds"][0]:
            tables[f"{name} numbers left"] = numbers_left_table(task)
        tables[f"{name} tests"] = tests_table(task)
    if figures["sweep"]:
        tables["sweep"] = sweep_table(figures["sweep"])
        commits = ", ".join(sorted({row["commit"] for row in figures["sweep"].values()}))
        tables["sweep facts"] = f"Commit {commits}; `{figures['command']} --sweep`."
    fill(page_path, tables)
