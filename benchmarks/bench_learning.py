"""Does it learn? Runs of the loop with controls, over seeds, summed up into `docs/learning.md`.

    python benchmarks/bench_learning.py             # everything: 2 tasks, 3 seeds; two hours on 2 cores by --jobs 2
    python benchmarks/bench_learning.py --contest   # with the models of finished runs: more problems, several budgets
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
from pathlib import Path

from learning_contest import contests, standings_over_runs
from learning_figures import report_of, summary, swept
from learning_tables import render

from regrow import atomic

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/learning.md", ROOT / "docs/learning.json"
COMMAND = "python benchmarks/bench_learning.py"

MEASURED = ["prm.yardstick=true", "evaluate.diagnosis=true", "evaluate.drawn=500"]
TASKS = {
    "countdown": [*MEASURED, "evaluate.problems=2000", "round.controls=[base_only,rest_em]"],
    "arithmetic": [*MEASURED, "task=arithmetic", "evaluate.problems=2000", "round.controls=[base_only,rest_em]"],
}
"""Task -> overrides of its runs; what is not named here is the default, that is the recipe."""

OPEN_GATES = ["gate.policy=false", "gate.prm=false"]
ONE_ROUND = ["round.count=1", "round.controls=[]", "evaluate.split=validation", "evaluate.problems=1500", *OPEN_GATES]
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


def run(command_name: str, folder: Path, overrides: Sequence[str]) -> None:
    """A command of regrow in a process of its own; done runs are not repeated."""
    command = [sys.executable, "-m", "regrow.cli", command_name, f"run.dir={folder}", *overrides]
    print(" ".join([f"regrow {command_name}", f"run.dir={folder}", *overrides]), flush=True)
    with folder.with_suffix(".log").open("a") as log:
        subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=subprocess.STDOUT)


def seeded(seed: int) -> list[str]:
    """Everything that falls by chance, base policy and PRM 0 included."""
    return [f"seed={seed}", f"policy.base.seed={seed}", f"prm.zero.seed={seed}"]


def sweep_folder(runs: Path, variant: str) -> Path:
    """Where a variant's run lies."""
    return runs / f"sweep-{variant.replace(' ', '-')}"


def planned(args: argparse.Namespace) -> Iterator[tuple[str, Path, list[str]]]:
    """Command, folder and overrides of each run that the arguments ask for."""
    if args.sweep:
        for name, overrides in SWEEP.items():
            yield "train", sweep_folder(args.runs, name), [*ONE_ROUND, *overrides]
        return
    for task in args.tasks:
        for seed in args.seeds:
            folder = args.runs / f"{task}-{seed}"
            if not args.contest:
                yield "train", folder, [*TASKS[task], *seeded(seed)]
            elif report := report_of(folder):
                for one, overrides in contests(folder, task, seed, report["config"]["round"]["count"]):
                    yield "evaluate", one, overrides


def main() -> None:
    """Run what is asked for, then render what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/learning")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (set OMP_NUM_THREADS=1 with 2 on two cores)")
    parser.add_argument("--sweep", action="store_true", help="the variants of the recipe instead")
    parser.add_argument("--contest", action="store_true", help="only the contests, with the models of finished runs")
    parser.add_argument("--render", action="store_true", help="run nothing")
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    args.runs.mkdir(parents=True, exist_ok=True)
    if not args.render:
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda plan: run(*plan), planned(args)))
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"command": COMMAND, "tasks": {}, "sweep": {}}
    for task in args.tasks:
        folders = [args.runs / f"{task}-{seed}" for seed in args.seeds]
        done = {seed: folder for seed, folder in zip(args.seeds, folders, strict=True) if report_of(folder)}
        if done:
            figures["tasks"][task] = summary(list(done.values()))
            figures["tasks"][task]["contest"] = standings_over_runs(done, task)
    figures["sweep"] = swept({name: sweep_folder(args.runs, name) for name in SWEEP}) or figures["sweep"]
    atomic.write_json(FIGURES, figures)
    render(figures, PAGE)
    print(f"{PAGE.relative_to(ROOT)} is up to date")


if __name__ == "__main__":
    main()
