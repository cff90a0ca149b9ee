"""Does it learn? Runs of the loop with controls, over seeds, summed up into `docs/learning.md`.

    python benchmarks/bench_learning.py             # everything: 2 tasks, 3 seeds; about two hours on 2 cores
    python benchmarks/bench_learning.py --sweep     # the recipe: one round of each variant, on validation problems
    python benchmarks/bench_learning.py --render    # only the tables, from the runs that are there

Every run is `regrow train` with the overrides below and goes on where it was stopped; `--runs` says where they lie.
`docs/learning.json` keeps the figures with commit, hardware and command; the tables of the page are made from it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from regrow import atomic
from regrow.comparison import compare

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/learning.md", ROOT / "docs/learning.json"
COMMAND = "python benchmarks/bench_learning.py"

MEASURED = ["prm.yardstick=true", "evaluate.diagnosis=true", "evaluate.drawn=500"]
TASKS = {
    "countdown": [*MEASURED, "evaluate.problems=2000", "round.controls=[base_only,rest_em]"],
    "arithmetic": [*MEASURED, "task=arithmetic", "evaluate.problems=1000", "round.controls=[base_only]"],
}
"""Task -> overrides of its runs; what is not named here is the default, that is the recipe."""

ONE_ROUND = ["round.count=1", "round.controls=[]", "evaluate.split=validation", "evaluate.problems=1500"]
SWEEP = {
    "the recipe": [],
    "half the steps": ["policy.train.max_steps=750"],
    "a third of the problems": ["round.problems=1167"],
    "rate 2e-3": ["policy.train.learning_rate=2e-3"],
    "four traces a problem": ["round.traces_per_problem=4"],
    "replay 1": ["round.replay=1.0"],
    "soft labels": ["prm.labels=soft"],
    "two draws a turn": ["search.width=2"],
}
"""Variant -> overrides: each changes one thing."""

ARMS = {"": "the loop", "rest_em": "ReST-EM", "base_only": "base data only"}
CONTEST = {
    "best_of_n": "best-of-N",
    "search": "search",
    "oracle": "search, exact truth",
    "shuffled": "search, shuffled PRM",
}


# --- runs -------------------------------------------------------------------------------------------------------------


def run(folder: Path, overrides: Sequence[str]) -> None:
    """`regrow train` in a process of its own; done runs are not repeated."""
    command = [sys.executable, "-m", "regrow.cli", "train", f"run.dir={folder}", *overrides]
    print(" ".join(["regrow train", f"run.dir={folder}", *overrides]), flush=True)
    with folder.with_suffix(".log").open("a") as log:
        subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=subprocess.STDOUT)


def seeded(seed: int) -> list[str]:
    """Everything that falls by chance, base policy and PRM 0 included."""
    return [f"seed={seed}", f"policy.base.seed={seed}", f"prm.zero.seed={seed}"]


def planned(args: argparse.Namespace) -> Iterator[tuple[Path, list[str]]]:
    """The runs that the arguments ask for."""
    if args.sweep:
        for name, overrides in SWEEP.items():
            yield args.runs / f"sweep-{name.replace(' ', '-')}", [*ONE_ROUND, *overrides]
    else:
        for task in args.tasks:
            for seed in args.seeds:
                yield args.runs / f"{task}-{seed}", [*TASKS[task], *seeded(seed)]


# --- figures ----------------------------------------------------------------------------------------------------------


def report_of(folder: Path) -> dict[str, Any] | None:
    """The report of a finished run."""
    path = folder / "report.json"
    report = json.loads(path.read_text()) if path.exists() else None
    return report if report and len(report["rounds"]) == report["config"]["round"]["count"] + 1 else None


def scores_of(folder: Path, number: int, arm: str = "") -> dict[str, list[float]]:
    """Strategy -> [problems] share of correct answers."""
    prefix = folder / "controls" / arm if arm and number else folder
    scores: dict[str, list[float]] = json.loads((prefix / f"round-{number}/evaluate/scores.json").read_text())
    return scores


def by_problem(folders: Sequence[Path], number: int, name: str, arm: str = "") -> list[float]:
    """[problems] the mean over seeds: problems are the same for all seeds."""
    return [fmean(scores) for scores in zip(*(scores_of(f, number, arm)[name] for f in folders), strict=True)]


def summary(folders: Sequence[Path]) -> dict[str, Any]:
    """All figures of one task: per round the mean over seeds and each seed's own, and tests over problems."""
    reports = [json.loads((folder / "report.json").read_text()) for folder in folders]
    rounds = []
    for number in range(len(reports[0]["rounds"])):
        done = [report["rounds"][number] for report in reports]
        arms = ["", *done[0]["controls"]]
        rows = {
            arm: {
                name: [(one["controls"][arm] if arm else one)["eval"][name]["accuracy"] for one in done]
                for name in (done[0]["controls"][arm] if arm else done[0])["eval"]
            }
            for arm in arms
        }
        pairs = [("search", "best_of_n", number, "")]
        if number:
            pairs += [(name, name, 0, "") for name in ("greedy", "sample")]
            pairs += [(name, name, number, arm) for arm in arms[1:] for name in ("greedy", "sample")]
        tests = [
            asdict(
                compare(
                    of,
                    "base" if not at and number else arm or over,
                    by_problem(folders, number, of),
                    by_problem(folders, at, over, arm),
                )
            )
            for of, over, at, arm in pairs
        ]
        rounds.append(
            {
                "round": number,
                "eval": rows,
                "tokens": {name: done[0]["eval"][name]["tokens_per_problem"] for name in done[0]["eval"]},
                "n": {name: done[0]["eval"][name]["n"] for name in done[0]["eval"]},
                "prm": [one["prm_eval"] for one in done],
                "exact": [one["prm_exact_eval"] for one in done],
                "seconds": [sum(one["seconds"].values()) for one in done],
                "tests": tests,
            }
        )
    return {
        "seeds": [report["seed"] for report in reports],
        "commits": sorted({report["commit"] for report in reports}),
        "hardware": reports[0]["hardware"],
        "rounds": rounds,
    }


def swept(runs: Path) -> dict[str, Any]:
    """Variant -> what one round of it reached; round 0 is common to all."""
    rows: dict[str, Any] = {}
    for name in SWEEP:
        report = report_of(runs / f"sweep-{name.replace(' ', '-')}")
        if report:
            first, last = report["rounds"][0], report["rounds"][-1]
            rows.setdefault("round 0", _swept_row(first))
            rows[name] = _swept_row(last)
    return rows


def _swept_row(done: dict[str, Any]) -> dict[str, float]:
    row = {name: done["eval"][name]["accuracy"] for name in ("greedy", "sample", "search", "best_of_n")}
    return row | {"auroc": done["prm_eval"]["auroc"]}


# --- tables -----------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


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


def sweep_table(rows: dict[str, Any]) -> str:
    """Variants of the recipe after one round."""
    names = ("greedy", "sample", "search", "best_of_n", "auroc")
    body = [[name, *(f"{row[key]:.3f}" for key in names)] for name, row in rows.items()]
    return table(["variant", "greedy", "sample", "search", "best-of-N", "PRM AUROC"], body)


def render(figures: dict[str, Any]) -> None:
    """Put the tables between their marks in the page."""
    tables: dict[str, str] = {}
    for name, task in figures["tasks"].items():
        machine = task["hardware"]
        seeds = ", ".join(map(str, task["seeds"]))
        minutes = sum(sum(done["seconds"]) for done in task["rounds"]) / 60
        tables[f"{name} facts"] = (
            f"Seeds {seeds}; commit {', '.join(task['commits'])}; {machine['cpu']}, {machine['cores']} cores; "
            f"`{figures['command']}`; {minutes:.0f} minutes of stages."
        )
        tables[f"{name} greedy"] = learning_table(task, "greedy")
        tables[f"{name} sample"] = learning_table(task, "sample")
        tables[f"{name} search"] = contest_table(task)
        tables[f"{name} prm"] = prm_table(task)
        tables[f"{name} tests"] = tests_table(task)
    if figures["sweep"]:
        tables["sweep"] = sweep_table(figures["sweep"])
    page = PAGE.read_text(encoding="utf-8")
    for mark, body in tables.items():
        pattern = re.compile(rf"(<!-- begin {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, found = pattern.subn(lambda match, body=body: f"{match[1]}{body}\n{match[2]}", page)
        if not found:
            print(f"docs/learning.md has no place for the table {mark!r}", file=sys.stderr)
    atomic.write_text(PAGE, page)


def main() -> None:
    """Run what is asked for, then render what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/learning")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (set OMP_NUM_THREADS=1 with 2 on two cores)")
    parser.add_argument("--sweep", action="store_true", help="the variants of the recipe instead")
    parser.add_argument("--render", action="store_true", help="run nothing")
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    args.runs.mkdir(parents=True, exist_ok=True)
    if not args.render:
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda plan: run(*plan), planned(args)))
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"command": COMMAND, "tasks": {}, "sweep": {}}
    for task in TASKS:
        folders = [args.runs / f"{task}-{seed}" for seed in args.seeds]
        if done := [folder for folder in folders if report_of(folder)]:
            figures["tasks"][task] = summary(done)
    figures["sweep"] = swept(args.runs) or figures["sweep"]
    atomic.write_json(FIGURES, figures)
    render(figures)
    print(f"{PAGE.relative_to(ROOT)} is up to date")


if __name__ == "__main__":
    main()
