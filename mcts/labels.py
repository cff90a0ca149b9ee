"""Process reward inference: from a verified tree to a label for every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcts import kernels
from mcts.tree import NO_NODE, ROOT, SearchTree
from mcts.types import Outcome


@dataclass(frozen=True, slots=True)
class StepLabels:
    """Labels of one tree's nodes. Axis N: nodes in order of creation.

    Attributes:
        remaining: [N] int32, m: least number of further steps to a correct answer; -1 where unlabelled.
        hard: [N] float32, 1 where a correct answer was found beneath, 0 where only wrong ones; NaN unlabelled.
        progress: [N] float32, the quality value v of ReST-MCTS* (Eq. 1-2); NaN unlabelled.
        soft: [N] float32, share of correct solutions among those drawn through the node; NaN unlabelled.
    """

    remaining: NDArray[np.int32]
    hard: NDArray[np.float32]
    progress: NDArray[np.float32]
    soft: NDArray[np.float32]


def infer_labels(tree: SearchTree, outcomes: Mapping[int, Outcome]) -> StepLabels:
    """Label every node of `tree` that leads to a judged leaf.

    Args:
        outcomes: Final node -> the verifier's outcome. Timeouts are no evidence either way and are left out.
    """
    count = len(tree.parent)
    correct, wrong = _judged(tree, outcomes)
    labels = StepLabels(
        np.empty(count, np.int32),
        np.empty(count, np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.float32),
    )
    kernels.infer_labels(tree.parent, correct, wrong, labels.remaining, labels.hard, labels.progress)
    kernels.success_rates(tree.parent, correct, wrong, tree.visits, labels.soft)
    return labels


def judged_draws(tree: SearchTree, outcomes: Mapping[int, Outcome]) -> NDArray[np.int32]:
    """How many of the solutions drawn through each node were judged: what its soft label is a share of.

    Args:
        outcomes: As for `infer_labels`.

    Returns:
        [N], 0 where nothing beneath was judged.
    """
    correct, wrong = _judged(tree, outcomes)
    draws = np.where(correct | wrong, np.maximum(tree.visits, 1), 0).astype(np.int32)
    for node in range(len(draws) - 1, 0, -1):
        draws[tree.parent[node]] += draws[node]
    return draws


def simple_labels(tree: SearchTree) -> NDArray[np.float32]:
    """Labels without a verifier, from the solution the search chose (ReST-MCTS*, `sample_value=simple`).

    On the way to the answer, of depth K, a node at depth d has d/K; a node beside the way, beneath one at depth d,
    max(0, (d - 1)/K).

    Returns:
        [N], NaN for all other nodes and where there is no answer.
    """
    labels = np.full(len(tree.parent), np.nan, np.float32)
    way = [tree.answer] if tree.answer != NO_NODE else []
    while way and way[-1] != ROOT:
        way.append(int(tree.parent[way[-1]]))
    length = len(way) - 1
    for depth, node in enumerate(reversed(way)):
        if node != tree.answer:
            labels[tree.parent == node] = max(0, depth - 1) / length
        labels[node] = depth / length if length else np.nan
    return labels


def _judged(tree: SearchTree, outcomes: Mapping[int, Outcome]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """[N] the nodes that end a correct solution, and those that end a wrong one."""
    correct, wrong = np.zeros((2, len(tree.parent)), np.bool_)
    for node, outcome in outcomes.items():
        correct[node] = outcome is Outcome.CORRECT
        wrong[node] = outcome in (Outcome.WRONG, Outcome.UNPARSED)
    return correct, wrong
