"""A query, and the tree that is being grown for it."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.forest import Forest, Tree
from mcts.requests import Request, Simulation
from mcts.search.search import Search
from mcts.tree import SearchTree
from mcts.types import Problem, Spent


@dataclass(frozen=True, slots=True)
class Query:
    """One tree to grow. (`search.name`, `problem.id`) must be unique within a run of the scheduler.

    Attributes:
        aggregate: How the scorer's values of steps become the value of a prefix.
        marks: Ascending numbers of `unit`. At each, the tree is kept as a search with that budget would have left it
            (`SearchTree.at_marks`).
        unit: Generated tokens, or simulations.

    Raises:
        ValueError: Marks do not ascend from 1.
    """

    problem: Problem
    search: Search
    budget: Budget
    seed: int
    aggregate: Aggregate = Aggregate.LAST
    marks: tuple[int, ...] = ()
    unit: Unit = Unit.TOKENS

    def __post_init__(self) -> None:
        if list(self.marks) != sorted({mark for mark in self.marks if mark > 0}):
            raise ValueError(f"marks {self.marks}: expected ascending numbers, from 1")


@dataclass(slots=True)
class Walk:
    """A tree, the simulation that is growing it, and the replies it waits for.

    Attributes:
        name: Names the tree in tickets, journals and messages.
        tickets: Engine requests so far.
        failure: Why the tree was given up; empty while all is well.
        kept: The tree at the marks passed so far.
    """

    query: Query
    tree: Tree
    name: str
    simulation: Simulation | None = None
    requests: tuple[Request, ...] = ()
    replies: dict[int, object] = field(default_factory=dict)
    is_tuple: bool = False
    tickets: int = 0
    simulations: int = 0
    cost: Spent = field(default_factory=Spent)
    planted: float = field(default_factory=time.monotonic)
    is_exhausted: bool = False
    failure: str = ""
    kept: list[SearchTree] = field(default_factory=list)

    @property
    def spent(self) -> Spent:
        """What the tree has cost up to now."""
        return self.cost + Spent(nodes=len(self.tree.nodes), seconds=time.monotonic() - self.planted)

    @property
    def is_released(self) -> bool:
        """Whether the tree has gone back to the forest."""
        return not self.tree.nodes

    def is_answered(self) -> bool:
        """Whether every request has its reply."""
        return len(self.replies) == len(self.requests)

    def fail(self, told: str) -> None:
        """Note what the tree was given up for; an empty text is no failure."""
        self.failure = told and f"{self.name}: {told}"

    def expect(self, asked: Request | tuple[Request, ...]) -> None:
        """Take the simulation's next requests."""
        self.is_tuple = isinstance(asked, tuple)
        self.requests = asked if isinstance(asked, tuple) else (asked,)
        self.replies = {}

    def export(self, forest: Forest) -> SearchTree:
        """The tree as it stands, with the trees at its marks; of marks never reached, the tree itself."""
        tree = self._copy(forest)
        missing = len(self.query.marks) - len(self.kept)
        return dataclasses.replace(tree, failure=self.failure, at_marks=(*self.kept, *[tree] * missing))

    def keep_at_marks(self, forest: Forest) -> None:
        """Keep the tree for every mark that is reached. To be called before anything more is drawn."""
        spent = self.cost.tokens_generated if self.query.unit is Unit.TOKENS else self.simulations
        for mark in self.query.marks[len(self.kept) :]:
            if spent < mark:
                return
            self.kept.append(self._copy(forest))

    def _copy(self, forest: Forest) -> SearchTree:
        search = self.query.search
        return forest.export(
            self.tree,
            strategy=search.name,
            temperature=search.temperature,
            spent=self.spent,
            answer=forest.best_final(self.tree),
        )
