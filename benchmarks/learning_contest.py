"""Search against best-of-N on more problems and at several budgets: contests with the models of finished runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from regrow.standings import bootstrap_interval

PROBLEMS = 1000
BUDGETS = {"countdown": (100, 200, 400), "arithmetic": (75, 150)}
"""Task -> generated tokens a problem; the largest is the budget of the rounds' own evaluation."""
STRATEGIES = ("best_of_n", "rollout_branching")


def contest_folder(run: Path, number: int) -> Path:
    """Where the contest with the models of a run's round lies."""
    return run.with_name(f"{run.name}-contest-{number}")


def contests(run: Path, task: str, seed: int, rounds: int) -> Iterator[tuple[Path, list[str]]]:
    """(folder, overrides) of the contest of each round; best-of-N chooses as the search does."""
    choice = "best" if task == "countdown" else "vote"
    for number in range(rounds + 1):
        yield (
            contest_folder(run, number),
            [
                f"task={task}",
                f"seed={seed}",
                f"policy.path={run}/round-{number}/policy",
                f"prm.path={run}/round-{number}/prm",
                f"strategies=['best_of_n choice={choice}',rollout_branching]",
                f"budgets=[{','.join(map(str, BUDGETS[task]))}]",
                f"evaluate.problems={PROBLEMS}",
                f"evaluate.drawn={PROBLEMS}",
            ],
        )


def standings_over_runs(runs: Mapping[int, Path], task: str) -> list[dict[str, Any]]:
    """One row a round and budget: both strategies' accuracy, mean over runs and each, and their paired difference.

    The interval is a bootstrap over problems, which are the same for all runs.

    Args:
        runs: Seed -> run. Those that did not hold all their contests are left out.
    """
    count = max(_held(run) for run in runs.values())
    seeds, held = zip(*[(seed, run) for seed, run in runs.items() if _held(run) == count], strict=True)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        for b, budget in enumerate(BUDGETS[task]):
            correct = {
                name: [_correct(run, number, name, seed)[b] for run, seed in zip(held, seeds, strict=True)]
                for name in STRATEGIES
            }
            best_of_n, search = (np.mean(correct[name], axis=0) for name in STRATEGIES)
            low, high = bootstrap_interval(search - best_of_n)
            rows.append(
                {
                    "round": number,
                    "budget": budget,
                    **{name: [fmean(one) for one in correct[name]] for name in STRATEGIES},
                    "difference": float(np.mean(search - best_of_n)),
                    "low": low,
                    "high": high,
                    "problems": len(search),
                    "commit": json.loads((contest_folder(held[0], number) / "report.json").read_text())["commit"],
                }
            )
    return rows


def _held(run: Path) -> int:
    """The contests held with the models of a run's rounds, from round 0 on."""
    number = 0
    while (contest_folder(run, number) / "report.json").exists():
        number += 1
    return number


def _correct(run: Path, number: int, name: str, seed: int) -> list[list[float]]:
    scores = json.loads((contest_folder(run, number) / f"contest/{name}-{seed}/scores.json").read_text())
    correct: list[list[float]] = scores["correct"]
    return correct
