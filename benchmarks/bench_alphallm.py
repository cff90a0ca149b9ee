"""AlphaLLM on arithmetic: the ladder of its search, rounds without labels, noisy labels, imagined problems.

    python benchmarks/bench_alphallm.py                      # everything, three seeds; hours on two cores
    python benchmarks/bench_alphallm.py --parts ladder noise # some of it
    python benchmarks/bench_alphallm.py --render             # only `docs/alphallm.md`, from the figures that are there

Every run is a command of regrow with the overrides of `alphallm_plan.py`, and goes on where it was stopped; `--runs`
says where they lie. With `--jobs 2` on two cores set OMP_NUM_THREADS=1. `docs/alphallm.json` keeps the figures with
commit, hardware and command.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import transformers
from alphallm_figures import imagined_figures, ladder_figures, noise_figures, rounds_figures
from alphallm_plan import (
    ARMS,
    CRITICS,
    FAST,
    IMAGINED,
    LADDER,
    LADDER_PROBLEMS,
    LOOP,
    MORE,
    REFERENCES,
    ROLLOUTS,
    TASK,
    name_of,
)
from alphallm_tables import render
from bench_learning import ROOT, run, seeded

from regrow import atomic, provenance

PAGE, FIGURES = ROOT / "docs/alphallm.md", ROOT / "docs/alphallm.json"
COMMAND = "python benchmarks/bench_alphallm.py"


def critics(folder: Path, seed: int) -> None:
    """Train the critics of the ladder: the labels of their traces are what noise is put into."""
    run("train", folder.parent / f"ladder/critics-{seed}", [*CRITICS, *seeded(seed)])


def ladder(folder: Path, seed: int) -> None:
    """Train the critics and the fast policy, then let all rungs search the same problems."""
    critics(folder, seed)
    run("train", folder / f"fast-{seed}", [*FAST, *seeded(seed)])
    made = folder / f"critics-{seed}"
    models = [
        f"policy.path={made}/round-0/policy",
        f"prm.path={made}/round-1/prm",
        f"critics.prm={made}/round-1/critic-prm",
        f"critics.orm={made}/round-1/critic-orm",
        f"critics.fast={folder}/fast-{seed}/round-0/policy",
    ]
    rungs = [" ".join(["eta_mcts", f"name={name_of(rung)}", *how]) for rung, how in LADDER.items()]
    problems = [
        f"evaluate.problems={LADDER_PROBLEMS}",
        f"evaluate.drawn={LADDER_PROBLEMS}",
        "evaluate.unit=simulations",
    ]
    for name, strategies, budgets in (
        ("rungs", [*rungs, *REFERENCES.values()], [ROLLOUTS // 2, ROLLOUTS]),
        ("more", [rungs[-1], *REFERENCES.values()], [MORE]),
    ):
        chosen = ",".join(f"'{one}'" for one in strategies)
        held = [f"strategies=[{chosen}]", f"budgets=[{','.join(map(str, budgets))}]", *problems, f"seed={seed}"]
        run("evaluate", folder / f"{name}-{seed}", [TASK, *models, *held])


def rounds(folder: Path, seed: int) -> None:
    """Every arm from the same base."""
    for arm, overrides in ARMS.items():
        run("train", folder / f"{arm.replace(' ', '-')}-{seed}", [*LOOP, *overrides, *seeded(seed)])


def imagined(folder: Path, seed: int) -> None:
    """What the base policy makes up."""
    run("imagine", folder / f"imagined-{seed}", [*IMAGINED, *seeded(seed)])


PARTS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path, list[int]], dict[str, Any]]]] = {
    "ladder": (ladder, ladder_figures),
    "rounds": (rounds, rounds_figures),
    "noise": (critics, noise_figures),
    "imagined": (imagined, imagined_figures),
}


def run_parts(args: argparse.Namespace, seed: int) -> None:
    """Run what is wanted of a seed, one part after the other: two of them share a run."""
    for part in args.parts:
        folder = args.runs / part
        folder.mkdir(parents=True, exist_ok=True)
        PARTS[part][0](folder, seed)


def main() -> None:
    """Run what is asked for, then render what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/alphallm")
    parser.add_argument("--render", action="store_true", help="run nothing")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    args.runs = args.runs.resolve()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if not args.render:
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(partial(run_parts, args), args.seeds))
        command = f"{COMMAND} {shlex.join(sys.argv[1:])}".strip()
        told = {"commit": provenance.commit(), "hardware": provenance.hardware(), "command": command}
        for part in args.parts:
            figures[part] = told | {"seeds": args.seeds} | PARTS[part][1](args.runs / part, args.seeds)
        atomic.write_json(FIGURES, figures)
    render(figures, PAGE)
    print(f"{PAGE.relative_to(ROOT)} is up to date")


if __name__ == "__main__":
    main()
