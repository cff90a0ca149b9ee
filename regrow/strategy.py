"""A strategy: a search, how it reads values, and what chooses among its solutions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.choice import Choice, choose
from mcts.search import Auto, Search
from mcts.seeds import Part, seed_of
from mcts.tree import SearchTree
from mcts.types import Problem
from mcts.walk import Query
from regrow.tasks.task import Task

ANSWERS_REMEMBERED = 1 << 14


def reading(search: Search, task: Task) -> Search:
    """A search that goes by the answers of its solutions reads them as the task does; any other as it is."""
    if not isinstance(search, Auto):
        return search
    read = lru_cache(ANSWERS_REMEMBERED)(task.answer)

    class TaskAuto(Auto):
        """The task is no field: fields are settings, and decide digests."""

        __slots__ = ()

        def answer(self, steps: tuple[str, ...]) -> str | None:
            return read(steps)

        def __reduce__(self) -> tuple[Any, ...]:
            return reading, (Auto(**settings), task)

    settings = {item.name: getattr(search, item.name) for item in dataclasses.fields(search)}
    return TaskAuto(**settings)


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is compared in tables, and what answers questions.

    Attributes:
        aggregate: How values of steps become the value of a prefix.
        choice: What chooses among the solutions. One that a checker accepted goes before all others.
    """

    search: Search
    aggregate: Aggregate = Aggregate.LAST
    choice: Choice = Choice.BEST

    @property
    def name(self) -> str:
        """The name under which results are reported."""
        return self.search.name

    def query(
        self, problem: Problem, budget: Budget, *seed: Part, marks: tuple[int, ...] = (), unit: Unit = Unit.TOKENS
    ) -> Query:
        """The tree to grow for `problem`.

        Strategies share their seeds: what two of them draw alike comes out alike, and chance tells them less apart.

        Args:
            seed: What the tree's seed depends on, beside the problem.
            marks: Where the tree is kept on the way, in numbers of `unit`.
        """
        its_seed = seed_of(*seed, problem.id)
        return Query(problem, self.search, budget, its_seed, aggregate=self.aggregate, marks=marks, unit=unit)

    def chosen(self, task: Task, tree: SearchTree) -> int:
        """The node of the tree's answer; `NO_NODE` where it has none."""
        return choose(tree, self.choice, answers_of(task, tree))


def answers_of(task: Task, tree: SearchTree) -> dict[int, str | None]:
    """Final node -> what its solution answers, in a form in which equal answers are equal."""
    return {node: task.answer([step.text for step in tree.path(node)]) for node in map(int, tree.finals())}
