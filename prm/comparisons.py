"""What a pairwise PRM compares: steps taken from one state, and finished solutions of one problem."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from mcts.seeds import seed_of
from mcts.types import State, StepEnd
from prm.labels import LabelledState

EACH = 2
"""Prefixes on either side of a comparison, at most."""

_Key = tuple[str, ...]
"""A prefix of a problem: its steps' texts, and how the last one ended."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A prefix with its label, and what that counts."""

    state: State
    label: float
    weight: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Prefixes of one problem: good ones, the best first, and bad ones, the worst first. One may be in both."""

    good: tuple[Rated, ...]
    bad: tuple[Rated, ...]

    def pairs(self) -> list[tuple[Rated, Rated]]:
        """Every good one beside every bad one of a lower label."""
        return [(good, bad) for good in self.good for bad in self.bad if good.label > bad.label]


def comparisons(data: Sequence[LabelledState]) -> list[Comparison]:
    """What can be compared, as rStar-Math does (arXiv 2501.04519, section 3.3).

    * Steps taken from the same state, but for final ones: the two of the highest label are good, the two of the lowest
      bad.
    * Final steps rarely share a state, so they are compared over the whole problem: of the right solutions (label 1)
      the two with the highest mean label along their steps are good, of the others the two with the lowest are bad.

    Labels that are equal are told apart by hash. What has no two labels that differ is left out.
    """
    by_question: dict[str, list[LabelledState]] = defaultdict(list)
    for item in data:
        by_question[item.state.problem.question].append(item)
    found = (one for items in by_question.values() for one in _of_problem(items))
    return [one for one in found if one.pairs()]


def _of_problem(items: Sequence[LabelledState]) -> Iterator[Comparison]:
    rated: dict[_Key, Rated] = {}
    for item in items:
        for k in range(1, len(item.labels)):
            if not math.isnan(item.labels[k]):
                state = State(item.state.problem, item.state.steps[:k])
                rated[_key(state)] = Rated(state, item.labels[k], item.weights[k])
    siblings: dict[_Key, list[Rated]] = defaultdict(list)
    right: list[tuple[float, Rated]] = []
    wrong: list[tuple[float, Rated]] = []
    for one in rated.values():
        if one.state.steps[-1].end is StepEnd.FINAL:
            (right if one.label == 1.0 else wrong).append((_mean(one, rated), one))
        else:
            siblings[tuple(step.text for step in one.state.steps[:-1])].append(one)
    for group in siblings.values():
        labelled = [(one.label, one) for one in group]
        yield Comparison(_highest(labelled), _lowest(labelled))
    yield Comparison(_highest(right), _lowest(wrong))


def _mean(final: Rated, rated: dict[_Key, Rated]) -> float:
    """The mean label of a solution's steps, as far as they have any."""
    steps = final.state.steps
    way = (rated.get(_key(State(final.state.problem, steps[:k]))) for k in range(1, len(steps) + 1))
    return fmean(one.label for one in way if one is not None)


def _highest(valued: list[tuple[float, Rated]]) -> tuple[Rated, ...]:
    return tuple(one for _, one in sorted(valued, key=lambda pair: (-pair[0], _tie(pair[1])))[:EACH])


def _lowest(valued: list[tuple[float, Rated]]) -> tuple[Rated, ...]:
    return tuple(one for _, one in sorted(valued, key=lambda pair: (pair[0], _tie(pair[1])))[:EACH])


def _key(state: State) -> _Key:
    return (*(step.text for step in state.steps), state.steps[-1].end)


def _tie(one: Rated) -> int:
    return seed_of("comparison", one.state.problem.question, *_key(one.state))
