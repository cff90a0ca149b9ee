"""Is `search=auto` worth it? Against fixed strategies at equal mean tokens: the table of `docs/search.md`.

    python benchmarks/bench_auto.py --models countdown=runs/demo/round-3 arithmetic=runs/arithmetic/round-3

Each TASK=DIR names a round of a finished run. All strategies search the same test problems, with the checker hidden. At
each budget `auto` spends fewer tokens on some problems; what a fixed strategy has at as many tokens, on the mean, lies
between its results at two budgets, in proportion. The interval is a paired bootstrap over problems.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from bench_learning import ROOT, run
from numpy.typing import NDArray
from page_marks import fill, table

from regrow.provenance import commit, hardware
from regrow.standings import bootstrap_interval

PAGE = ROOT / "docs/search.md"
BUDGETS = {"countdown": (50, 100, 200, 400), "arithmetic": (40, 75, 150, 300)}
CHOICES = {"countdown": "best", "arithmetic": "vote"}
FIXED = ("best_of_n", "weighted_vote", "step_beam", "rollout_branching")
Scores = dict[str, NDArray[np.float64]]
"""Correct and tokens, [budgets, problems] each."""


def searched(task: str, models: Path, folder: Path, problems: int, seed: int) -> dict[str, Scores]:
    """Let all strategies search."""
    named = ",".join(f"'{name} choice={CHOICES[task]}'" for name in ("auto", *FIXED))
    budgets = ",".join(map(str, BUDGETS[task]))
    paths = [f"policy.path={models / 'policy'}", f"prm.path={models / 'prm'}", "checker=false"]
    counts = [f"evaluate.problems={problems}", f"evaluate.drawn={problems}"]
    run(
        "evaluate",
        folder,
        [f"task={task}", *paths, *counts, f"strategies=[{named}]", f"budgets=[{budgets}]", f"seed={seed}"],
    )
    found = {}
    for name in ("auto", *FIXED):
        scores = json.loads((folder / f"contest/{name}-{seed}/scores.json").read_text())
        found[name] = {key: np.array(scores[key], np.float64) for key in ("correct", "tokens")}
    return found


def at(scores: Scores, tokens: float) -> NDArray[np.float64] | None:
    """[problems] what a strategy has at a mean number of tokens; None where it was not held with as many."""
    means = scores["tokens"].mean(axis=1)
    if not means[0] <= tokens <= means[-1]:
        return None
    upper = int(np.searchsorted(means, tokens))
    lower = max(0, upper - 1)
    share = (tokens - means[lower]) / (means[upper] - means[lower]) if upper > lower else 0.0
    between: NDArray[np.float64] = (1 - share) * scores["correct"][lower] + share * scores["correct"][upper]
    return between


def rows(task: str, found: Mapping[str, Scores]) -> Iterator[list[str]]:
    """A row a budget: auto, and every fixed strategy at as many tokens."""
    for b, budget in enumerate(BUDGETS[task]):
        auto, tokens = found["auto"]["correct"][b], float(found["auto"]["tokens"][b].mean())
        cells = []
        for name in FIXED:
            fixed = at(found[name], tokens)
            if fixed is None:
                cells.append("")
                continue
            low, high = bootstrap_interval(auto - fixed)
            cells.append(f"{fixed.mean():.3f} ({low:+.3f} to {high:+.3f})")
        yield [task, str(budget), f"{tokens:.0f}", f"**{auto.mean():.3f}**", *cells]


def main() -> None:
    """Search, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True, metavar="TASK=DIR")
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/auto")
    args = parser.parse_args()
    args.runs.mkdir(parents=True, exist_ok=True)
    lines = []
    for task, models in (one.split("=", 1) for one in args.models):
        held = searched(task, Path(models).resolve(), args.runs.resolve() / task, args.problems, args.seed)
        lines += rows(task, held)
    head = ["task", "budget", "tokens of auto", "auto", *(f"{name}, auto over it" for name in FIXED)]
    machine = hardware()
    facts = (
        f"Commit {commit()}; {machine['cpu']}, {machine['cores']} cores; {args.problems} test problems, "
        f"seed {args.seed}; `python benchmarks/bench_auto.py {shlex.join(sys.argv[1:])}`."
    )
    fill(PAGE, {"auto": table(head, lines), "auto facts": facts})


if __name__ == "__main__":
    main()
