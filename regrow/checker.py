"""A task's own test of a solution, as the search core sees it."""

from __future__ import annotations

from collections.abc import Sequence

from mcts.types import Problem, Step
from regrow.tasks.task import Task


class TaskChecker:
    """Sees problem and steps, and no gold answer. Implements `mcts.ports.Checker`."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        """Whether the task accepts the solution."""
        return self._task.check(problem, [step.text for step in steps])
