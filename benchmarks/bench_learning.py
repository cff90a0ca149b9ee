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
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from learning_tables import render
from sklearn.metrics import roc_auc_score

from mcts.types import State
from prm.scorer import HfScorer
from regrow import atomic
from regrow.comparison import compare
from regrow.evaluation import score_all
from regrow.tasks.countdown import Countdown
from regrow.tasks.countdown_truth import parse_move
from regrow.tasks.task import GradedProblem
from regrow.trace_store import read_trees

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/learning.md", ROOT / "docs/learning.json"
COMMAND = "python benchmarks/bench_learning.py"

MEASURED = ["prm.yardstick=true", "evaluate.diagnosis=true", "evaluate.drawn=500"]
TASKS = {
    "countdown": [*MEASURED, "evaluate.problems=2000", "round.controls=[base_only,rest_em]"],
    "arithmetic": [
        *MEASURED,
        "task=arithmetic",
        "round.problems=1500",
        "round.budget.tokens=250",
        "policy.train.max_steps=600",
        "evaluate.problems=1000",
        "evaluate.budget.tokens=250",
    ],
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
    "half the steps of the PRM": ["prm.train.max_steps=1000"],
    "eight solutions a problem for the PRM": ["prm.states_per_problem=8"],
}
"""Variant -> overrides: each changes one thing."""


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
    if reports[0]["config"]["task"]["name"] == Countdown.name:
        left = [auroc_by_numbers_left(folder, report) for folder, report in zip(folders, reports, strict=True)]
        for number, done in enumerate(rounds):
            done["numbers_left"] = [one[number] for one in left]
    return {
        "seeds": [report["seed"] for report in reports],
        "commits": sorted({report["commit"] for report in reports}),
        "hardware": reports[0]["hardware"],
        "rounds": rounds,
    }


def auroc_by_numbers_left(folder: Path, report: dict[str, Any]) -> list[dict[str, float]]:
    """Round -> numbers that a countdown step leaves -> AUROC of the PRM against reachability, legal steps only.

    With one number left a PRM compares it with the target, with two it has to know what one operation makes of them.
    """
    task = Countdown(**report["config"]["task"]["options"])
    samples = [verified.tree for verified in read_trees(folder / "round-0/evaluate/samples")]
    paths = {(tree.problem, tree.path(int(node))): None for tree in samples for node in tree.finals()}
    states = [State(problem, steps) for problem, steps in paths]
    truths = [
        task.truth(GradedProblem(state.problem, ""), [step.text for step in state.steps]).reachable for state in states
    ]
    rounds = []
    for done in report["rounds"]:
        found: dict[int, tuple[list[float], list[bool]]] = {}
        values = score_all(HfScorer.load(folder / done["prm"]), states)
        for state, value, truth in zip(states, values, truths, strict=True):
            for k, step in enumerate(state.steps):
                if move := parse_move(step.text):
                    predicted, reachable = found.setdefault(len(move.left), ([], []))
                    predicted.append(value[k + 1])
                    reachable.append(truth[k])
        rounds.append(
            {str(left): float(roc_auc_score(t, p)) for left, (p, t) in sorted(found.items()) if len(set(t)) > 1}
        )
    return rounds


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
    render(figures, PAGE)
    print(f"{PAGE.relative_to(ROOT)} is up to date")


if __name__ == "__main__":
    main()
