"""Trees to search again, some at a time: their pools, and what verifiers said of their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError
from mcts.pool import Pool
from mcts.ports import StepScorer
from mcts.tree import SearchTree
from mcts.types import Outcome, State
from prm.fixed import ConstantScorer
from regrow.diagnosis import ShuffledScorer
from regrow.prm_evaluation import score_all
from regrow.verified import VerifiedTree

NO_VALUES, INVERTED, CONSTANT, SHUFFLED = "none", "inverted", "constant", "shuffled"
VALUES = ("prm", NO_VALUES, CONSTANT, INVERTED, SHUFFLED)
"""What searches may be told about steps."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tree to search again. Outcomes and answers are for the report and for votes; no search sees an outcome."""

    pool: Pool
    outcomes: Mapping[int, Outcome]
    answers: Mapping[int, str | None]


def stored_trees(trees: Iterable[VerifiedTree], at_once: int) -> Iterator[list[Stored]]:
    """The trees that can be searched again, `at_once` in memory; those that were given up cannot.

    Raises:
        InputError: A tree has no record of its draws, or does not keep them all.
    """
    remaining = (verified for verified in trees if not verified.tree.failure)
    while group := list(islice(remaining, at_once)):
        yield [Stored(Pool(one.tree), one.outcomes, one.answers) for one in group]


def with_values(group: list[Stored], values: str, scorer: StepScorer | None, seed: int) -> list[Stored]:
    """The same trees with other scores.

    Args:
        values: Of `VALUES`.
        scorer: Scores all nodes anew; None takes what was stored.

    Raises:
        InputError: Nothing was stored.
    """
    if values == NO_VALUES:
        return group
    if values == CONSTANT:
        scorer = ConstantScorer()
    if scorer is not None:
        group = _scored(group, scorer)
    if all(np.isnan(one.pool.record.scores).all() for one in group):
        raise InputError("the searches that grew these trees were told no values, expected values=none or prm.path=DIR")
    if values == INVERTED:
        return [_with_scores(one, 1.0 - one.pool.record.scores) for one in group]
    if values == SHUFFLED:
        return _scored(group, ShuffledScorer(_by_depth(group), seed))
    return group


def _by_depth(group: list[Stored]) -> dict[int, list[float]]:
    depths = np.concatenate([one.pool.tree.depths() for one in group])
    scores = np.concatenate([one.pool.record.scores for one in group])
    known = ~np.isnan(scores)
    return {int(depth): scores[known & (depths == depth)].tolist() for depth in np.unique(depths[known])}


def _scored(group: list[Stored], scorer: StepScorer) -> list[Stored]:
    """All solutions, and beginnings of one that nobody went on from, in one batch: they lead past every node."""
    trees = [one.pool.tree for one in group]
    ends = [(t, int(leaf)) for t, tree in enumerate(trees) for leaf in _leaves(tree)]
    states = [State(trees[t].problem, trees[t].path(leaf)) for t, leaf in ends]
    scores = [np.full(len(tree.steps), np.nan) for tree in trees]
    for (t, leaf), values in zip(ends, score_all(scorer, states), strict=True):
        scores[t][trees[t].lineage(leaf)] = values
    return list(map(_with_scores, group, scores))


def _leaves(tree: SearchTree) -> NDArray[np.intp]:
    return np.setdiff1d(np.arange(len(tree.steps)), tree.parent)


def _with_scores(one: Stored, scores: NDArray[np.float64]) -> Stored:
    tree = one.pool.tree
    return replace(one, pool=Pool(replace(tree, record=replace(one.pool.record, scores=scores))))
