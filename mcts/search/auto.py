"""Choosing by difficulty: stop, sample for a vote, or search, as the solutions so far agree and are valued."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan, sqrt
from typing import NamedTuple

from mcts.forest import Forest, Tree
from mcts.requests import Simulation
from mcts.search.bounds import check_bounds
from mcts.search.rollout_branching import RolloutBranching
from mcts.tree import Flag

ALWAYS = 2**31 - 1
"""An `opening` that never ends."""


BRANCHING = RolloutBranching()


class Course(StrEnum):
    """What is done next."""

    STOP = "stop"
    SAMPLE = "sample"
    SEARCH = "search"


class End(NamedTuple):
    """Where draws of a tree ended.

    Attributes:
        answer: None for what is no solution, or answers nothing.
        draws: How many ended here.
        value: In [0, 1]: the checker's verdict, else the scorer's value; NaN without either.
        depth: Steps.
    """

    answer: str | None
    draws: int
    value: float
    depth: int


@dataclass(frozen=True, slots=True)
class Auto:
    """Solutions are drawn from the start, and each simulation goes by what is there.

    A solution that the scorer values `certain` or more ends the search at once, if no other answer is valued so, too.
    Else `first` solutions are drawn. Then let a be the answer that most draws came to (of equals, the one of the
    greatest total value), s its share of all draws that ended, v the mean value of its draws, d the standard deviation
    of the values of all draws that ended; without a scorer every value counts as 1.
    * s >= `agreement`, v >= `sure` and d <= `spread`, or the checker accepted a solution: stop.
    * else s < `split` or v < `doubt`: hard; one more simulation of `tree`.
    * else one more solution from the start, for the vote.

    A policy that reasons at length in one piece leaves a tree nothing to branch from: with `long_reasoning`, or where
    every solution has one step, what is hard is sampled, too. The tree decides, so a search with a smaller budget is
    one with a larger, looked at earlier. The thresholds are round numbers that were not tuned; stopping where samples
    agree is Adaptive-Consistency (arXiv 2305.11860), here by a share and with the scorer's consent.

    Attributes:
        certain: 1 takes no solution for certain, but one that is valued 1.
        first: Solutions before the first decision by agreement.
        tree: The search for what is hard; all draws are its own, so that evidence is counted in one way.
    """

    certain: float = 0.95
    first: int = 4
    agreement: float = 0.8
    sure: float = 0.7
    spread: float = 0.25
    split: float = 0.5
    doubt: float = 0.3
    long_reasoning: bool = False
    tree: RolloutBranching = BRANCHING
    name: str = "auto"

    def __post_init__(self) -> None:
        check_bounds(self, counts=("first",))
        shares = (self.certain, self.agreement, self.sure, self.spread, self.split, self.doubt)
        if self.first < 1 or not all(0.0 <= share <= 1.0 for share in shares):
            raise ValueError(f"expected first of 1 or more, and thresholds from 0 to 1, got {self}")
        if self.split > self.agreement or self.doubt > self.sure:
            raise ValueError(f"expected split up to agreement and doubt up to sure, got {self}")

    @property
    def temperature(self) -> float:
        """Of all draws."""
        return self.tree.temperature

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Decide; draw a solution from the start, or where the tree search wants the next step."""
        course = Course.STOP if tree.is_solved else self.course(self._ends(forest, tree))
        if course is Course.STOP:
            return False
        search = self.tree if course is Course.SEARCH else dataclasses.replace(self.tree, opening=ALWAYS)
        return (yield from search.simulate(forest, tree))

    def answer(self, steps: tuple[str, ...]) -> str | None:
        """What a solution answers, equal answers alike; None where it answers nothing.

        The last step as it reads; `regrow.strategy.reading` asks the task instead.
        """
        return steps[-1].strip() or None

    def course(self, ends: Sequence[End]) -> Course:
        """What is done next, where draws ended so."""
        if len({end.answer for end in ends if end.answer is not None and end.value >= self.certain}) == 1:
            return Course.STOP
        if sum(end.draws for end in ends) < self.first:
            return Course.SAMPLE
        share, value, spread = _agreement(ends)
        if share >= self.agreement and value >= self.sure and spread <= self.spread:
            return Course.STOP
        in_one_piece = self.long_reasoning or all(end.depth <= 1 for end in ends)
        return Course.SEARCH if (share < self.split or value < self.doubt) and not in_one_piece else Course.SAMPLE

    def _ends(self, forest: Forest, tree: Tree) -> list[End]:
        return [
            End(
                self.answer(tuple(step.text for step in forest.state(tree, node).steps))
                if forest.is_final(node)
                else None,
                forest.count(node),
                _value(forest, node),
                forest.depth(node),
            )
            for node in forest.ends(tree)
        ]


def _agreement(ends: Sequence[End]) -> tuple[float, float, float]:
    """The share of the most common answer, the mean value of its draws, the standard deviation of all values."""
    draws = sum(end.draws for end in ends)
    if not draws:
        return 0.0, 0.0, 0.0
    ends = [end._replace(value=1.0) if isnan(end.value) else end for end in ends]
    mean = sum(end.draws * end.value for end in ends) / draws
    spread = sqrt(sum(end.draws * (end.value - mean) ** 2 for end in ends) / draws)
    votes: dict[str, tuple[int, float]] = {}
    for end in ends:
        if end.answer is not None:
            count, worth = votes.get(end.answer, (0, 0.0))
            votes[end.answer] = (count + end.draws, worth + end.draws * end.value)
    count, worth = max(votes.values(), default=(0, 0.0))
    return count / draws, worth / max(1, count), spread


def _value(forest: Forest, node: int) -> float:
    if forest.flags(node) & (Flag.ACCEPTED | Flag.REJECTED):
        return float(bool(forest.flags(node) & Flag.ACCEPTED))
    return forest.value(node)
