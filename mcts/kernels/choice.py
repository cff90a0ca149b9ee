"""Choosing among the solutions of many trees as they are replayed: `mcts.choice`, compiled.

Compiled anew in each process, as `replay` is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mcts.choice import THRESHOLD, Choice
from mcts.kernels.answers import best_final, vote_weights
from mcts.kernels.records import ACCEPTED, FINAL, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

CHOICES = tuple(Choice)
"""Choices in the order of their codes."""

BEST, PASSING, MAJORITY, WEIGHTED, MEAN, DESCENT, VOTE = range(len(CHOICES))
NO_ANSWER = -1
PASSES_FROM = np.float32(THRESHOLD)


@njit
def _by_mean(nodes: Nodes, ledger: Ledger, members: Ids) -> int:
    best, highest = NO_NODE, -np.inf
    for node in members:
        if nodes[node].flags & FINAL:
            mean = ledger[node].evidence / max(1, nodes[node].visits)
            if mean > highest:
                best, highest = node, mean
    return best


@njit
def _by_descent(nodes: Nodes, ledger: Ledger, members: Ids) -> int:
    promising = np.zeros(len(nodes), np.bool_)
    for final in members:
        node = final if nodes[final].flags & FINAL else NO_NODE
        while node != NO_NODE and not promising[node]:
            promising[node] = True
            node = nodes[node].parent
    node = members[0]
    if not promising[node]:
        return NO_NODE
    while not nodes[node].flags & FINAL:
        child, node, highest = nodes[node].first_child, NO_NODE, -np.inf
        while child != NO_NODE:
            mean = ledger[child].evidence / max(1, nodes[child].visits)
            if promising[child] and mean > highest:
                node, highest = child, mean
            child = nodes[child].next_sibling
    return node


@njit
def _by_vote(nodes: Nodes, answers: Ids, members: Ids, choice: int) -> int:
    finals, count = np.empty(len(members), np.int32), 0
    for node in members:
        if nodes[node].flags & FINAL and answers[node] != NO_ANSWER:
            finals[count] = node
            count += 1
    finals = finals[:count]
    weights, totals = np.empty(count), np.zeros(len(answers))
    if choice == VOTE:
        vote_weights(nodes["parent"], nodes["visits"], nodes["prior"], nodes["value"], finals, weights)
    for i in range(count):
        if choice != VOTE:
            weights[i] = max(1, nodes[finals[i]].visits)
        if choice == WEIGHTED and not np.isnan(nodes[finals[i]].value):
            weights[i] *= nodes[finals[i]].value
        totals[answers[finals[i]]] += weights[i]
    best, best_total, best_weight = NO_NODE, -np.inf, -np.inf
    for i in range(count):
        total = totals[answers[finals[i]]]
        if total > best_total or (total == best_total and weights[i] > best_weight):
            best, best_total, best_weight = finals[i], total, weights[i]
    return best


@njit
def choose_final(nodes: Nodes, ledger: Ledger, answers: Ids, members: Ids, choice: int) -> int:
    """Choose among the solutions of a tree as `mcts.choice.choose` does.

    Args:
        nodes: [N] of one tree; ids are numbers within it.
        answers: [N] int32, equal for equal answers, `NO_ANSWER` for none; at most N different ones.
        members: [S] int32, the nodes of the tree in order of creation.
        choice: Place in `CHOICES`.

    Returns:
        A node, or `NO_NODE` if there is none.
    """
    is_solved = False
    for node in members:
        is_solved |= nodes[node].flags & ACCEPTED != 0
    if is_solved or choice == BEST:
        return best_final(nodes, members)
    if choice == PASSING:
        for node in members:
            if nodes[node].flags & FINAL and nodes[node].value >= PASSES_FROM:
                return node
        return best_final(nodes, members)
    if choice == MEAN:
        return _by_mean(nodes, ledger, members)
    if choice == DESCENT:
        return _by_descent(nodes, ledger, members)
    return _by_vote(nodes, answers, members, choice)
