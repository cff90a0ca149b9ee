"""What settings come to over trees: the compiled replay where there is one, the scheduler for any other search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.choice import Choice, choose
from mcts.errors import InputError
from mcts.pools import Pools, is_compiled
from mcts.ports import Checker
from mcts.replay import replay
from mcts.search import Search
from mcts.tree import NO_NODE, SearchTree
from mcts.types import Outcome
from mcts.walk import Query
from regrow.research.settings import Setting
from regrow.research.stored import Stored

SETTINGS_AT_ONCE = 128
UNKNOWN, WRONG, RIGHT = -1, 0, 1
Way = tuple[Search, Aggregate]
"""How a tree grows: settings that only choose otherwise share a replay."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what trees are searched again.

    Attributes:
        budgets: Ascending numbers of `unit`.
        checker: Whose verdicts the searches are told.
        scored: Whether they are told values.
        max_depth: Steps after which a branch is closed.
    """

    budgets: tuple[int, ...]
    unit: Unit
    checker: Checker | None
    scored: bool
    max_depth: int


class Tally:
    """Sums over the trees so far. Axes: S settings, B budgets.

    Attributes:
        trees: How many.
        covered: [S, B] trees in which everything that was asked had been generated.
        correct: [S, B] those of them that were answered correctly.
        so_far: [S, B] correct answers of all trees, where the others answer with what they had.
        tokens: [S, B] generated in the covered trees.
    """

    def __init__(self, settings: Sequence[Setting], terms: Terms) -> None:
        self.settings, self.terms, self.trees = settings, terms, 0
        shape = len(settings), len(terms.budgets)
        self.covered, self.correct, self.so_far, self.tokens = (np.zeros(shape, np.int64) for _ in range(4))
        self._places: dict[Way, list[int]] = {}
        for place, setting in enumerate(settings):
            strategy = setting.strategy
            self._places.setdefault((_nameless(strategy.search), strategy.aggregate), []).append(place)

    def add(self, group: Sequence[Stored]) -> None:
        """Search the trees of a group again under every setting.

        Raises:
            InputError: A setting draws at another temperature than the trees, or does not keep its draws.
        """
        self._check_temperature(group)
        self.trees += len(group)
        compiled = [way for way in self._places if is_compiled(way[0])]
        if compiled:
            self._add_compiled(group, compiled)
        for way in self._places:
            if not is_compiled(way[0]):
                self._add_by_scheduler(group, way)

    def _add_compiled(self, group: Sequence[Stored], ways: Sequence[Way]) -> None:
        terms = self.terms
        pools = Pools(
            [one.pool for one in group],
            [one.answers for one in group],
            checker=terms.checker,
            scored=terms.scored,
            max_depth=terms.max_depth,
        )
        right = np.concatenate([_right(one) for one in group])
        starts = np.asarray([pools.ids(t)[0] for t in range(len(group))])
        choices = list(dict.fromkeys(setting.strategy.choice for setting in self.settings))
        for begin in range(0, len(ways), SETTINGS_AT_ONCE):
            some = ways[begin : begin + SETTINGS_AT_ONCE]
            found = pools.replay(some, terms.budgets, choices, terms.unit)
            covered = found.covered[:, :, None] > np.arange(len(terms.budgets))
            ids = starts[:, None, None, None] + found.nodes
            correct = (found.nodes != NO_NODE) & right[np.where(found.nodes != NO_NODE, ids, 0)]
            for s, way in enumerate(some):
                for place in self._places[way]:
                    chosen = correct[:, s, :, choices.index(self.settings[place].strategy.choice)]
                    self._count(place, covered[:, s], chosen, found.tokens[:, s])

    def _add_by_scheduler(self, group: Sequence[Stored], way: Way) -> None:
        terms, (search, how) = self.terms, way
        most = terms.budgets[-1]
        budget = Budget(tokens=most) if terms.unit is Unit.TOKENS else Budget(simulations=most)
        trees = [one.pool.tree for one in group]
        queries = [
            Query(tree.problem, search, budget, tree.seed, how, marks=terms.budgets, unit=terms.unit) for tree in trees
        ]
        pools = [one.pool for one in group]
        replays = replay(queries, pools, checker=terms.checker, scored=terms.scored, max_depth=terms.max_depth)
        covered = np.asarray([[mark < one.covered for mark in range(len(terms.budgets))] for one in replays])
        tokens = np.asarray([[tree.spent.tokens_generated for tree in one.tree.at_marks] for one in replays])
        for place in self._places[way]:
            choice = self.settings[place].strategy.choice
            verdicts = np.asarray(
                [
                    [_verdict(it, tree, choice) for tree in one.tree.at_marks]
                    for it, one in zip(group, replays, strict=True)
                ]
            )
            self._count(place, covered & (verdicts != UNKNOWN), verdicts == RIGHT, tokens)

    def _count(
        self, place: int, covered: NDArray[np.bool_], correct: NDArray[np.bool_], tokens: NDArray[np.int64]
    ) -> None:
        """Add the trees of a group. All are [T, B]."""
        self.covered[place] += covered.sum(axis=0)
        self.correct[place] += (covered & correct).sum(axis=0)
        self.so_far[place] += correct.sum(axis=0)
        self.tokens[place] += np.where(covered, tokens, 0).sum(axis=0)

    def _check_temperature(self, group: Sequence[Stored]) -> None:
        drawn = {one.pool.record.temperature for one in group}
        for setting in self.settings:
            asked = setting.strategy.search.temperature
            if drawn != {asked}:
                found = ", ".join(map(str, sorted(drawn)))
                raise InputError(
                    f"{setting.words}: draws at temperature {asked}, expected that of the trees ({found}); "
                    "add temperature=... or leave it out"
                )


def _nameless(search: Search) -> Search:
    """The same search, whatever its preset is called."""
    return replace(search, name=type(search).__name__)  # type: ignore[type-var]  # every search is a dataclass


def _right(one: Stored) -> NDArray[np.bool_]:
    """[N] whether the solution that ends at a node is correct."""
    return np.asarray([one.outcomes.get(node) is Outcome.CORRECT for node in range(len(one.pool.tree.steps))])


def _verdict(one: Stored, tree: SearchTree, choice: Choice) -> int:
    """What a replayed tree's answer is worth; unknown where it is a node that nobody judged."""
    places = {int(node): one.pool.node(tree.path(int(node))) for node in tree.finals()}
    chosen = choose(tree, choice, {node: one.answers.get(place) for node, place in places.items()})
    if chosen == NO_NODE:
        return WRONG
    outcome = one.outcomes.get(places[chosen])
    return UNKNOWN if outcome is None else RIGHT if outcome is Outcome.CORRECT else WRONG
