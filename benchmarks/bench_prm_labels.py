"""Which labels make the best PRM? All kinds from the same traces, summed up into `docs/prm_labels.md`.

    python benchmarks/bench_prm_labels.py --run 'runs/learning/{task}-0'  # traces of finished runs; {task} is replaced
    python benchmarks/bench_prm_labels.py                                 # makes runs of one round first
    python benchmarks/bench_prm_labels.py --miniature                     # minutes: whether it works, no more
    python benchmarks/bench_prm_labels.py --render                        # only the page, from the figures there are

Every PRM starts from the same fresh head on the run's first policy and takes the same number of steps. It is held
against the exact truth about solutions of test problems, and then searches with the run's last policy: `regrow
evaluate` with the overrides below, all at the same budgets of generated tokens, with the checker hidden, so that the
PRM chooses. What is there is not made again: the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import transformers
from bench_learning import run
from prm_label_figures import KINDS, Traces, accuracies, make_prms
from prm_label_tables import render

from regrow import atomic, provenance

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/prm_labels.md", ROOT / "docs/prm_labels.json"
COMMAND = "python benchmarks/bench_prm_labels.py"

STRATEGIES = (
    "best_of_n choice=best",
    "weighted_vote",
    "step_beam choice=best",
    "rollout_branching choice=best",
)
BUDGETS = {"countdown": (100, 200, 400), "arithmetic": (75, 150)}
ONE_ROUND = ["round.count=1", "round.controls=[]"]
MINIATURE = [
    "policy.base.demonstrations=4000",
    "policy.base.train.max_steps=150",
    "policy.base.train.learning_rate=0.01",
    "policy.base.size.hidden=32",
    "policy.base.size.intermediate=64",
    "policy.base.size.layers=2",
    "policy.train.max_steps=20",
    "prm.zero.problems=100",
    "prm.zero.train.max_steps=20",
    "prm.train.max_steps=20",
    "round.problems=60",
    "evaluate.problems=20",
    "evaluate.drawn=20",
    "evaluate.budget.tokens=60",
]
SMALLEST = {"countdown": ["task.options.numbers=[2,3]"], "arithmetic": ["task.options.operations=[2]"]}


def contest(traces: Traces, name: str, prm: Path, folder: Path, problems: int, seed: int) -> Path:
    """Search with one PRM; what was held is not held again."""
    task = traces.config["task"]
    named = ",".join(f"'{one}'" for one in STRATEGIES)
    overrides = [
        f"task={task['name']}",
        *(f"task.options.{key}={json.dumps(value, separators=(',', ':'))}" for key, value in task["options"].items()),
        f"policy.path={traces.run}/round-{traces.rounds}/policy",
        f"prm.path={prm}",
        f"prm.aggregate={traces.aggregate(KINDS[name])}",
        "checker=false",
        f"strategies=[{named}]",
        f"budgets=[{','.join(map(str, BUDGETS[task['name']]))}]",
        f"evaluate.problems={problems}",
        f"evaluate.drawn={problems}",
        f"seed={seed}",
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / "report.json").exists():
        run("evaluate", folder, overrides)
    return folder


def source_of(args: argparse.Namespace, task: str) -> Path:
    """The run whose traces are learned from: the one that was named, or one of a single round, made here."""
    if args.run:
        return Path(args.run.format(task=task)).resolve()
    folder = args.runs / task / "run"
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / "report.json").exists():
        small = [*MINIATURE, *SMALLEST[task]] if args.miniature else []
        run("train", folder, [f"task={task}", *ONE_ROUND, *small])
    return folder


def figures_of(args: argparse.Namespace, task: str) -> dict[str, Any]:
    """Everything about one task, made where it is not there yet."""
    traces = Traces(source_of(args, task))
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in args.kinds}
    contests: dict[str, list[Path]] = {name: [] for name in args.kinds}
    for seed in args.seeds:
        place = args.runs / task / f"seed-{seed}"
        for name, made in make_prms(traces, place / "prms", args.kinds, seed, args.steps):
            measured[name].append(known(traces, name, made))
            held = contest(traces, name, made / "prm", place / "contests" / made.name, args.problems, seed)
            contests[name].append(held)
    return {
        "commit": provenance.commit(),
        "traces_commit": traces.commit,
        "hardware": provenance.hardware(),
        "command": args.command,
        "seeds": args.seeds,
        "steps": args.steps,
        "problems": args.problems,
        "rounds": traces.rounds,
        "trees": len(traces.trees),
        "kinds": {name: {"prms": measured[name]} for name in args.kinds},
        "contests": accuracies(contests),
    }


def known(traces: Traces, name: str, made: Path) -> dict[str, Any]:
    """How a PRM was trained and what it knows; measured once."""
    file = made / "quality.json"
    if not file.exists():
        atomic.write_json(file, traces.quality(KINDS[name], made / "prm"))
    read = {path.stem: json.loads(path.read_text()) for path in (made / "training.json", file)}
    return {**read["quality"], "training": read["training"]}


def main() -> None:
    """Make what is not there yet, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a finished `regrow train`; {task} is replaced")
    parser.add_argument("--tasks", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the PRMs and of their searches")
    parser.add_argument("--steps", type=int, default=2000, help="training steps of each PRM")
    parser.add_argument("--problems", type=int, default=500, help="test problems of the searches")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/prm-labels")
    parser.add_argument("--miniature", action="store_true", help="tiny everything; page and figures go to --runs")
    parser.add_argument("--render", action="store_true", help="make nothing")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    args.command = f"{COMMAND} {shlex.join(sys.argv[1:])}".strip()
    args.runs = args.runs.resolve()
    page, figures_file = PAGE, FIGURES
    if args.miniature:
        args.runs, args.seeds, args.steps, args.problems = args.runs / "miniature", [0], 20, 12
        args.runs.mkdir(parents=True, exist_ok=True)
        page, figures_file = args.runs / PAGE.name, args.runs / FIGURES.name
        shutil.copy(PAGE, page)
    figures = json.loads(figures_file.read_text()) if figures_file.exists() else {}
    if not args.render:
        print(f"{args.command}: commit {provenance.commit()}, {provenance.hardware()}")
        for task in args.tasks:
            figures[task] = figures_of(args, task)
            atomic.write_json(figures_file, figures)
    render(figures, page)
    print(f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page} is up to date")


if __name__ == "__main__":
    main()
