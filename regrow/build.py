"""From configuration to the objects it describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Budget
from mcts.search import Search
from mcts.types import Problem, Step
from regrow.config import SEARCHES, BudgetConfig, Config, settings_of
from regrow.tasks import make_task
from regrow.tasks.task import Task


class TaskChecker:
    """A task's own test of a solution, as the search core sees it: problem and steps, no gold answer."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        """Whether the task accepts the solution."""
        return self._task.check(problem, [step.text for step in steps])


def task_of(config: Config) -> Task:
    """The task. Raises `InputError` for an unknown name or option."""
    try:
        return make_task(config.task.name, **config.task.options)
    except (TypeError, ValueError) as error:
        raise InputError(f"config task: {error}") from error


def checker_of(config: Config, task: Task) -> Checker | None:
    """The checker whose verdicts a search may use, None in the hidden world.

    Raises:
        InputError: A checker is asked for and the task has none.
    """
    match config.evaluate.selected_by:
        case "checker" if not task.is_checkable:
            raise InputError(f"config evaluate.selected_by=checker: {task.name} has no checker, expected prm or auto")
        case "checker":
            return TaskChecker(task)
        case "auto":
            return TaskChecker(task) if task.is_checkable else None
        case "prm":
            return None
        case other:
            raise InputError(f"config evaluate.selected_by={other}: expected auto, checker or prm")


def search_of(config: Config) -> Search:
    """The search that `search=NAME` describes. Its kind is told by the settings it has."""
    node = fields_of(config.search)
    kind = str(node.pop("kind"))
    return settings_of(SEARCHES[kind], node, "search")


def budget_of(node: BudgetConfig, where: str, *, stop_when_solved: bool = False) -> Budget:
    """The budget a configuration node describes."""
    return settings_of(Budget, {**fields_of(node), "stop_when_solved": stop_when_solved}, where)


def policy_of(config: Config, path: Path) -> Policy:
    """The policy of a checkpoint directory."""
    from policy.transformers_policy import TransformersPolicy

    return TransformersPolicy.load(path, batch_rows=config.policy.batch_rows)


def scorer_of(config: Config, path: Path) -> StepScorer:
    """The step scorer of a checkpoint directory."""
    from prm.scorer import HfScorer

    return HfScorer.load(path, batch_rows=config.prm.batch_rows)


def fields_of(node: Any) -> dict[str, Any]:
    """The fields of a resolved configuration node."""
    return {item.name: getattr(node, item.name) for item in dataclasses.fields(node)}
