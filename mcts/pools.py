"""Pools of many trees in columns: what a compiled replay reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcts import kernels
from mcts.aggregate import Aggregate
from mcts.budget import Unit
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.forest import prior_of
from mcts.kernels.choice import CHOICES, NO_ANSWER
from mcts.kernels.deal import DEAD, OPEN, STORED, WHOLE
from mcts.kernels.replay import SETTING, replay_pools
from mcts.pool import Pool
from mcts.ports import Checker
from mcts.search import BestOfN, RolloutBranching, Search
from mcts.types import Step, StepEnd

READINGS = tuple(Aggregate)
MORE_THAN_ANY = 1 << 20
"""Draws at once that no tree has: a replay makes room for as many."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen. Axes: T trees, S settings, M marks, C choices.

    Attributes:
        nodes: [T, S, M, C] int32, nodes of the pools; `NO_NODE` where there was no solution.
        tokens: [T, S, M] int64, generated until then.
        covered: [T, S] int32, marks reached before something was asked that was never generated. Of the others the
            first two tell what had been chosen and spent by then.
    """

    nodes: NDArray[np.int32]
    tokens: NDArray[np.int64]
    covered: NDArray[np.int32]


class Pools:
    """Many pools, ready to be searched again by `BestOfN` and `RolloutBranching` under many settings at once.

    Args:
        pools: At least one.
        answers: Of each pool: node -> what its solution answers, equal answers alike.
        checker: Whose verdicts the searches are told.
        scored: Whether they are told values.
        max_depth: Steps after which a branch is closed.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        answers: Sequence[Mapping[int, str | None]],
        *,
        checker: Checker | None,
        scored: bool,
        max_depth: int,
    ) -> None:
        sizes = [len(pool.tree.steps) for pool in pools]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._stored = np.concatenate([_stored(pool, checker) for pool in pools])
        draws = np.cumsum([0, *(len(pool.ends) for pool in pools)])[:-1]
        self._stored["first_draw"] += np.repeat(draws, sizes)
        self._ends = np.concatenate([pool.ends for pool in pools])
        self._whole = np.concatenate([pool.is_whole for pool in pools])
        self._reads = np.asarray([np.concatenate([pool.read(how) for pool in pools]) for how in READINGS])
        self._answers = np.concatenate([_classes(*one) for one in zip(pools, answers, strict=True)])
        self._seeds = np.asarray([pool.tree.seed for pool in pools], np.uint64)
        self._told = scored, checker is not None, max_depth
        self.nodes, self.ledger = kernels.allocate(len(self._stored))

    def ids(self, tree: int) -> NDArray[np.int64]:
        """[N] where the records of each node of a tree are after `replay`, as the last search left them."""
        return np.arange(self._starts[tree], self._starts[tree + 1])

    def replay(
        self,
        searches: Sequence[tuple[Search, Aggregate]],
        marks: Sequence[int],
        choices: Sequence[Choice],
        unit: Unit = Unit.TOKENS,
    ) -> Choices:
        """Search every tree again by every search, up to the last of the `marks`.

        Raises:
            InputError: A search that draws nothing, or believes nothing.
        """
        for search, _ in searches:
            _check(search)
        settings = np.asarray([_setting(search, how) for search, how in searches], SETTING)
        shape = len(self._seeds), len(searches), len(marks)
        found = Choices(
            np.empty((*shape, len(choices)), np.int32), np.empty(shape, np.int64), np.empty(shape[:2], np.int32)
        )
        replay_pools(
            self.nodes,
            self.ledger,
            self._starts,
            self._stored,
            self._answers,
            self._ends,
            self._whole,
            self._reads,
            self._seeds,
            settings,
            *self._told,
            unit is Unit.TOKENS,
            np.asarray(marks, np.int64),
            np.asarray([CHOICES.index(choice) for choice in choices], np.int32),
            found.nodes,
            found.tokens,
            found.covered,
        )
        return found


def is_compiled(search: Search) -> bool:
    """Whether `Pools` can replay a search; `mcts.replay` can any."""
    return type(search) in (BestOfN, RolloutBranching)


def _setting(search: Search, how: Aggregate) -> tuple[float | int | bool, ...]:
    """A row of `SETTING`."""
    reading = READINGS.index(how)
    match search:
        case RolloutBranching():
            floats = search.strength, search.doubt, search.root_share
            return (*floats, search.opening, min(search.width, MORE_THAN_ANY), reading, False, False)
        case BestOfN():
            return (0.0, 0.0, 0.0, 0, min(search.width, MORE_THAN_ANY), reading, True, search.temperature <= 0.0)
    raise ValueError(f"{search.name}: expected best-of-N or rollout branching")


def _check(search: Search) -> None:
    """What would never end, or divide by nothing."""
    if isinstance(search, BestOfN | RolloutBranching) and search.width < 1:
        raise InputError(f"{search.name}: width={search.width}, expected 1 or more")
    if isinstance(search, RolloutBranching) and not search.strength > 0:
        raise InputError(f"{search.name}: strength={search.strength}, expected more than 0")


def _stored(pool: Pool, checker: Checker | None) -> NDArray[np.void]:
    stored = np.zeros(len(pool.tree.steps), STORED)
    stored["tokens"] = pool.tokens
    stored["first_draw"] = pool.stacks[:-1]
    stored["draws"] = np.diff(pool.stacks)
    stored["parent"] = pool.tree.parent
    stored["prior"] = [prior_of(step) if step else 1.0 for step in pool.tree.steps]
    stored["kind"] = [_kind(step) for step in pool.tree.steps]
    stored["is_accepted"] = pool.verdicts(checker) if checker else False
    return stored


def _classes(pool: Pool, answers: Mapping[int, str | None]) -> NDArray[np.int32]:
    """[N] a number for each answer, `NO_ANSWER` where a node has none."""
    known: dict[str, int] = {}
    classes = np.full(len(pool.tree.steps), NO_ANSWER, np.int32)
    for node, answer in answers.items():
        if answer is not None:
            classes[node] = known.setdefault(answer, len(known))
    return classes


def _kind(step: Step | None) -> int:
    """What may be built on a step; the root is open."""
    if step is None:
        return OPEN
    if step.end is StepEnd.FINAL:
        return WHOLE
    return DEAD if step.end is StepEnd.TRUNCATED or not step.text else OPEN
