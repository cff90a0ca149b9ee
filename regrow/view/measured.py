"""A run's held-out problems: what the policy of each round drew of them, judged."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from mcts.errors import InputError
from mcts.types import Problem
from regrow.build import task_of
from regrow.config import Config, EvaluateConfig, TaskConfig, schema_of
from regrow.experiment import held_out_of
from regrow.judging import judged
from regrow.report import Report
from regrow.rounds import SAMPLES
from regrow.tasks.problems import Columns
from regrow.tasks.task import GradedProblem, Task
from regrow.trace_store import PROBLEMS_FILE, iter_trees
from regrow.view.stored import round_of
from regrow.view.tree_data import Data, problem_data, tree_data


def measured_problems(run: Path, report: Report, problem: str | None, count: int) -> list[Data]:
    """The first `count` problems, or the one called `problem`, each with its samples of every round as a tree.

    Raises:
        InputError: There are no such samples, or the run's task has its problems no more.
    """
    task, held_out = _held_out(report)
    wanted = set(islice((key for key in held_out if problem in (None, key.id)), count))
    found: dict[Problem, Data] = {}
    for done in report.rounds:
        folder = run / f"round-{done.round}/evaluate" / SAMPLES
        if not (folder / PROBLEMS_FILE).is_file():
            continue
        for drawn in iter_trees(folder):
            if (key := drawn.tree.problem) not in wanted:
                continue
            graded = held_out[key]
            shown = found.setdefault(key, problem_data(key.id, key.question, graded.answer, []))
            shown["trees"].append(tree_data(judged(task, graded, drawn.tree), round_of(folder)))
    if not found:
        raise InputError(f"run={run}: no samples of held-out problems" + (f" called {problem}" if problem else ""))
    return list(found.values())


def _held_out(report: Report) -> tuple[Task, dict[Problem, GradedProblem]]:
    """The run's task and held-out problems, by its own configuration."""
    told = report.config
    config = Config(
        problems=told["problems"],
        columns=schema_of(Columns)(**told["columns"]),
        task=TaskConfig(**told["task"]),
        evaluate=EvaluateConfig(**told["evaluate"]),
    )
    task = task_of(config)
    return task, {graded.problem: graded for graded in held_out_of(config, task, report.command)}
