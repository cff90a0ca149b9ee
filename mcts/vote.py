"""Choosing an answer without a checker: solutions that agree speak for each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from mcts import kernels
from mcts.tree import NO_NODE, SearchTree


def vote(tree: SearchTree, answers: Mapping[int, str | None]) -> int:
    """The solution of the answer with the greatest weight; among its solutions, the one of the greatest weight.

    A solution weighs as much as the policy's probability of it times its value: the part of the policy's own answers
    that it stands for, as far as the scorer believes in it. Counts of draws would tell how often the search went
    there instead. Where the policy tells no probabilities, draws count; where no value is known, all are believed.

    Args:
        answers: Final node -> its answer in a form in which equal answers are equal; None for a solution without one.

    Returns:
        A final node, or `NO_NODE` if no solution has an answer.
    """
    finals = np.asarray([node for node, answer in answers.items() if answer is not None], np.int32)
    each = np.empty(len(finals))
    kernels.vote_weights(tree.parent, tree.visits, tree.prior, tree.value, finals, each)
    weights = dict(zip(finals.tolist(), each.tolist(), strict=True))
    totals: dict[str | None, float] = defaultdict(float)
    for node, weight in weights.items():
        totals[answers[node]] += weight
    return max(weights, key=lambda node: (totals[answers[node]], weights[node], -node), default=NO_NODE)
