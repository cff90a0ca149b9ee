"""Which objective? All after one round on the same traces, the best over rounds and seeds: `docs/objectives.md`.

    python benchmarks/bench_objectives.py                # everything, on two cores with --jobs 2
    python benchmarks/bench_objectives.py --only-first   # one round of every objective, on validation problems
    python benchmarks/bench_objectives.py --tune         # learning rates and the like, on validation problems
    python benchmarks/bench_objectives.py --render       # only the tables, from the runs that are there

Every run is `regrow train` with the overrides below and goes on where it was stopped; `--runs` says where they lie. In
the first part round 0 and what round 1 searches, verifies and trains its PRM on is done once; every objective's run
begins with a copy of these stages. The best three are chosen there; in the second part they and the supervised
objective go three rounds, with three seeds, on test problems. An objective that draws samples of its own searches with
as much less. `docs/objectives.json` keeps the figures with commit, hardware and command.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_learning import ROOT, run, seeded
from learning_figures import report_of
from objectives_figures import best, first_figures, rounds_figures, tuned_figures
from objectives_tables import render

from regrow import atomic
from regrow.objectives import OBJECTIVES

PAGE, FIGURES = ROOT / "docs/objectives.md", ROOT / "docs/objectives.json"
COMMAND = "python benchmarks/bench_objectives.py"
BASELINE, BEST = "supervised", 3

TASKS = {"countdown": ["round.problems=2500"], "arithmetic": ["task=arithmetic"]}
"""Task -> overrides of all its runs; what is not named is the default."""

STEPS = {"countdown": {"traces": 1200, "pairs": 400}, "arithmetic": {"traces": 200, "pairs": 100}}
"""Optimizer steps a round. A pair is two sequences, which policy and reference read: it costs as much as three."""
TRACES = ("supervised", "rest_em", "laser", "hindsight")
"""Objectives that learn traces; all others learn pairs or verdicts."""

GENTLE = ["objective.beta=1", "objective.rate=0.1"]
"""Settings of these others beside their defaults: the table of `--tune` says why."""

BUDGET = {"countdown": 300, "arithmetic": 150}
"""Tokens a problem that a round's search may generate; those of an objective's own samples are taken off."""

MEASURED = ["evaluate.drawn=500", "evaluate.problems=1000", "gate.policy=false", "gate.prm=false"]
"""A gate would put the old model's figures in the place of a worse one's."""
VALIDATION = [*MEASURED, "evaluate.split=validation", "round.count=1"]
CONTROLS = "round.controls=[base_only,rest_em]"

SHARED_FIRST = ("round-0", "round-1/search", "round-1/traces", "round-1/prm")
"""Stages that no objective has a part in."""

TUNED = {
    "dpo": [
        [f"objective.beta={beta}", f"objective.rate={rate}", f"objective.likelihood={share}"]
        for beta, rate, share in ((0.1, 0.1, 0), (0.1, 0.1, 1), (0.1, 0.3, 0), (1, 0.1, 0), (1, 0.3, 1), (1, 1, 1))
    ],
    "step_dpo": [[f"objective.beta={beta}", f"objective.rate={rate}"] for beta, rate in ((0.1, 0.3), (1, 0.1))],
    "kto": [[f"objective.beta={beta}", f"objective.rate={rate}"] for beta, rate in ((0.1, 0.1), (1, 0.1), (1, 0.03))],
}
"""Objective -> variants of its settings."""


@dataclass(frozen=True)
class Plan:
    """One run of `regrow train`.

    Attributes:
        shared: Whose stages it begins with, and which.
    """

    folder: Path
    overrides: list[str]
    shared: tuple[Path, tuple[str, ...]] | None = None


def do(plan: Plan) -> None:
    """Copy what is shared, and run."""
    if plan.shared:
        source, stages = plan.shared
        for stage in stages:
            target = plan.folder / stage
            if (source / stage).is_dir() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic.directory(target) as folder:
                    shutil.copytree(source / stage, folder, dirs_exist_ok=True)
    run("train", plan.folder, plan.overrides)


def steps(task: str, objective: str) -> str:
    """How long an objective's policy is trained."""
    return f"policy.train.max_steps={STEPS[task]['traces' if objective in TRACES else 'pairs']}"


def gentle(objective: str) -> list[str]:
    """An objective's settings beside its own defaults."""
    return [] if objective in TRACES else GENTLE


def first(args: argparse.Namespace, task: str, objective: str, *settings: str) -> Plan:
    """One round of an objective; all but the baseline's begin with the baseline's stages."""
    overrides = [*TASKS[task], *seeded(args.seeds[0]), *VALIDATION, steps(task, objective), *args.set]
    source = args.runs / f"first-{task}-{BASELINE}"
    if objective == BASELINE:
        return Plan(source, [*overrides, CONTROLS])
    variant = [setting.partition(".")[2].replace("=", "-") for setting in settings]
    folder = args.runs / "-".join(["first", task, objective, *variant])
    own = [f"objective={objective}", *gentle(objective), *settings, "round.controls=[]"]
    return Plan(folder, [*overrides, *own], (source, SHARED_FIRST))


def longer(args: argparse.Namespace, task: str, objective: str, seed: int) -> Plan:
    """Several rounds of an objective, at the baseline's tokens."""
    budget = BUDGET[task]
    tokens = round(budget * search_share(args.runs / f"first-{task}-{objective}"))
    folder = args.runs / f"rounds-{task}-{objective}-{seed}"
    overrides = [*TASKS[task], *seeded(seed), *MEASURED, steps(task, objective), *args.set]
    overrides += [
        f"objective={objective}",
        *gentle(objective),
        f"round.count={args.rounds}",
        f"round.budget.tokens={tokens}",
    ]
    if objective == BASELINE:
        return Plan(folder, [*overrides, CONTROLS])
    stages = SHARED_FIRST if tokens == budget else ("round-0",)
    return Plan(folder, [*overrides, "round.controls=[]"], (args.runs / f"rounds-{task}-{BASELINE}-{seed}", stages))


def search_share(folder: Path) -> float:
    """The share of a first round's tokens that its search generated, beside an objective's own samples."""
    report = report_of(folder)
    assert report is not None, f"{folder} is not finished"
    stage = json.loads((folder / "round-1/search/stage.json").read_text())
    return stage["result"]["tokens_generated"] / report["rounds"][1]["tokens_generated"]


def together(jobs: int, plans: Iterable[Plan]) -> None:
    """Several runs, `jobs` at once."""
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(do, plans))


def chosen(args: argparse.Namespace, figures: dict[str, Any]) -> Sequence[str]:
    """The baseline, and the best after one round."""
    ranked = best({task: figures["first"][task] for task in args.tasks}, args.objectives)
    return [BASELINE, *[name for name in ranked if name != BASELINE][:BEST]]


def one_round(args: argparse.Namespace, figures: dict[str, Any]) -> None:
    """The first part: every objective on the same traces, or variants of some."""
    others = [name for name in args.objectives if name != BASELINE]
    variants = [(task, name, settings) for task in args.tasks for name in TUNED for settings in TUNED[name]]
    plans = [first(args, task, name) for task in args.tasks for name in others]
    if args.tune:
        plans = [first(args, task, name, *settings) for task, name, settings in variants]
    if not args.render:
        together(args.jobs, [first(args, task, BASELINE) for task in args.tasks])
        together(args.jobs, plans)
    for task in args.tasks:
        runs = {name: args.runs / f"first-{task}-{name}" for name in [BASELINE, *others]}
        figures["first"] |= {task: found} if (found := first_figures(runs, BASELINE)) else {}
    runs = {(task, name, " ".join(one)): first(args, task, name, *one).folder for task, name, one in variants}
    figures["tune"] = tuned_figures(runs) or figures["tune"]


def several_rounds(args: argparse.Namespace, figures: dict[str, Any]) -> None:
    """The second part: the baseline and the best of the first part, over rounds and seeds."""
    names = chosen(args, figures)
    runs = [(task, name, seed) for task in args.tasks for seed in args.seeds for name in names]
    if not args.render:
        together(args.jobs, [longer(args, *one) for one in runs if one[1] == BASELINE])
        together(args.jobs, [longer(args, *one) for one in runs if one[1] != BASELINE])
    for task in args.tasks:
        folders = {name: [args.runs / f"rounds-{task}-{name}-{seed}" for seed in args.seeds] for name in names}
        figures["rounds"] |= {task: found} if (found := rounds_figures(folders, BASELINE, args.seeds)) else {}


def main() -> None:
    """Run what is asked for, then render what is there."""
    args = parsed()
    args.runs.mkdir(parents=True, exist_ok=True)
    empty = {"first": {}, "rounds": {}, "tune": []}
    figures = json.loads(args.figures.read_text()) if args.figures.exists() else empty
    one_round(args, figures)
    if not (args.only_first or args.tune) and all(task in figures["first"] for task in args.tasks):
        several_rounds(args, figures)
    figures["command"] = COMMAND
    atomic.write_json(args.figures, figures)
    render(figures, args.page)
    print(f"{args.page.name} is up to date")


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="the first is that of the first part")
    parser.add_argument("--rounds", type=int, default=3, help="of the second part")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/objectives")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (set OMP_NUM_THREADS=1 with 2 on two cores)")
    parser.add_argument("--only-first", action="store_true", help="only one round of every objective")
    parser.add_argument("--tune", action="store_true", help="the variants of settings instead")
    parser.add_argument("--render", action="store_true", help="run nothing")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of all runs, for a trial")
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    return args


if __name__ == "__main__":
    main()
