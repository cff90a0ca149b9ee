"""Choosing among the solutions of a finished tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from mcts import kernels
from mcts.tree import NO_NODE, ROOT, Flag, SearchTree


class Choice(StrEnum):
    """What decides between the solutions of a tree.

    * `best`: the highest value, the tree's own answer.
    * `threshold`: the first with a value of `THRESHOLD` or more, else the best (ReST-MCTS*, inference).
    * `majority`: the answer that was drawn most often (self-consistency, arXiv 2203.11171).
    * `weighted`: the answer of the greatest sum of values over its draws (weighted best-of-N; ReST-MCTS*, evaluation).
    * `mean`: the highest mean of what was backed up (AlphaLLM's best leaf).
    * `descent`: from the root on, the child of the highest mean, as long as a solution lies beneath (AlphaLLM's path).
    * `vote`: the answer of the greatest sum of the policy's probability times the value. Counts of draws tell where a
      search went; probabilities do not.
    """

    BEST = "best"
    THRESHOLD = "threshold"
    MAJORITY = "majority"
    WEIGHTED = "weighted"
    MEAN = "mean"
    DESCENT = "descent"
    VOTE = "vote"


THRESHOLD = 0.9
"""`end_gate` of ReST-MCTS*'s evaluation."""

Answers = Mapping[int, str | None]
"""Final node -> its answer in a form in which equal answers are equal; None for a solution without one."""


def choose(tree: SearchTree, how: Choice, answers: Answers) -> int:
    """The node of the chosen solution, or `NO_NODE` if there is none. One that a checker accepted goes before all."""
    if how is Choice.BEST or np.any(tree.flags & Flag.ACCEPTED):
        return tree.answer
    if how is Choice.THRESHOLD:
        passing = [int(node) for node in tree.finals() if tree.value[node] >= THRESHOLD]
        return passing[0] if passing else tree.answer
    if how in {Choice.MEAN, Choice.DESCENT}:
        return _by_mean(tree, descends=how is Choice.DESCENT)
    return agreed(answers, weigh(tree, how, [node for node, answer in answers.items() if answer is not None]))


def _by_mean(tree: SearchTree, *, descends: bool) -> int:
    """The solution of the highest mean, or the one that a walk along the highest means comes to."""
    finals = [int(node) for node in tree.finals()]
    means = tree.value_sum / np.maximum(1, tree.visits)

    def rank(node: int) -> tuple[float, int]:
        return float(means[node]), -node

    if not finals or not descends:
        return max(finals, key=rank, default=NO_NODE)
    promising = set(finals)
    for node in finals:
        while (node := int(tree.parent[node])) != NO_NODE:
            promising.add(node)
    node = ROOT
    while node not in finals:
        node = max((int(child) for child in np.flatnonzero(tree.parent == node) if int(child) in promising), key=rank)
    return node


def agreed(answers: Answers, weights: Mapping[int, float]) -> int:
    """Solutions that agree speak for each other: the heaviest solution of the answer with the greatest total weight."""
    totals: dict[str | None, float] = defaultdict(float)
    for node, weight in weights.items():
        totals[answers[node]] += weight
    return max(weights, key=lambda node: (totals[answers[node]], weights[node], -node), default=NO_NODE)


def weigh(tree: SearchTree, how: Choice, finals: Sequence[int]) -> dict[int, float]:
    """The weight of each solution: its draws, these times its value, or the policy's probability of it times its value.

    One without a value is believed. Where the policy tells no probabilities, draws stand in for them.
    """
    nodes = np.asarray(finals, np.int32)
    if how is Choice.VOTE:
        weights = np.empty(len(nodes))
        kernels.vote_weights(tree.parent, tree.visits, tree.prior, tree.value, nodes, weights)
    else:
        # A solution that a search came to without crediting it was drawn once.
        weights = np.maximum(1, tree.visits[nodes]).astype(np.float64)
        if how is Choice.WEIGHTED:
            weights *= np.nan_to_num(tree.value[nodes], nan=1.0)
    return dict(zip(finals, weights.tolist(), strict=True))
