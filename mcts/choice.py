"""Choosing among the solutions of a finished tree."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import StrEnum

import numpy as np

from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Flag, SearchTree


class Choice(StrEnum):
    """What decides between the solutions of a tree.

    * `best`: the highest value.
    * `threshold`: the first with a value of `THRESHOLD` or more, else the best (ReST-MCTS*, inference).
    * `majority`: the answer that was drawn most often (self-consistency, arXiv 2203.11171).
    * `weighted`: the answer of the greatest sum of values over its draws (weighted best-of-N; ReST-MCTS*, evaluation).
    * `vote`: the answer of the greatest sum of the policy's probability times the value. Counts of draws tell where a
      search went; probabilities do not.
    """

    BEST = "best"
    THRESHOLD = "threshold"
    MAJORITY = "majority"
    WEIGHTED = "weighted"
    VOTE = "vote"


THRESHOLD = 0.9
"""`end_gate` of ReST-MCTS*'s evaluation."""

Answers = Mapping[int, str | None]
"""Final node -> its answer in a form in which equal answers are equal; None for a solution without one."""


def choose(tree: SearchTree, how: Choice, answers: Answers) -> int:
    """The node of the chosen solution, or `NO_NODE` if there is none. One that a checker accepted goes before all."""
    if np.any(tree.flags & Flag.ACCEPTED):
        return best(tree)
    match how:
        case Choice.BEST:
            return best(tree)
        case Choice.THRESHOLD:
            passing = [int(node) for node in tree.finals() if tree.value[node] >= THRESHOLD]
            return passing[0] if passing else best(tree)
        case Choice.MAJORITY:
            return agreed(tree, answers, _draws)
        case Choice.WEIGHTED:
            return agreed(tree, answers, lambda tree, node: _draws(tree, node) * _belief(tree, node))
        case Choice.VOTE:
            return agreed(tree, answers, _believed_mass)


def best(tree: SearchTree) -> int:
    """A solution the checker accepted, else the highest valued one not rejected, else any. Of equals the first."""

    def rank(node: int) -> tuple[bool, bool, float]:
        flags, value = int(tree.flags[node]), float(tree.value[node])
        return bool(flags & Flag.ACCEPTED), not flags & Flag.REJECTED, -1.0 if math.isnan(value) else value

    return max(map(int, tree.finals()), key=rank, default=NO_NODE)


def agreed(tree: SearchTree, answers: Answers, weight: Callable[[SearchTree, int], float]) -> int:
    """Solutions that agree speak for each other: the heaviest solution of the answer with the greatest total weight."""
    weights = {node: weight(tree, node) for node, answer in answers.items() if answer is not None}
    totals: dict[str | None, float] = defaultdict(float)
    for node, its_weight in weights.items():
        totals[answers[node]] += its_weight
    return max(weights, key=lambda node: (totals[answers[node]], weights[node], -node), default=NO_NODE)


def _draws(tree: SearchTree, node: int) -> float:
    """How often a solution was drawn; one that a search came to by single steps counts once."""
    return float(max(1, tree.visits[node]))


def _belief(tree: SearchTree, node: int) -> float:
    """The value; where none is known, all are believed."""
    value = float(tree.value[node])
    return 1.0 if math.isnan(value) else value


def _believed_mass(tree: SearchTree, node: int) -> float:
    """The part of the policy's own solutions that this one stands for, as far as the scorer believes in it.

    Where the policy tells no probabilities, draws stand in for them.
    """
    mass, above = 1.0, node
    while tree.parent[above] != NO_NODE:
        mass *= float(tree.prior[above])
        above = int(tree.parent[above])
    return (mass if mass > UNKNOWN_PRIOR else _draws(tree, node)) * _belief(tree, node)
