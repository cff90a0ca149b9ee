"""Nodes that are to be given more continuations than they have."""

from __future__ import annotations

import math

from numba import njit

from mcts.kernels.records import BUSY, CLOSED, EXPANDED, FINAL, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

REOPENED = 255 - (CLOSED | EXPANDED)
FREE = 255 - (CLOSED | BUSY)
BY_VISITS, BY_IMPORTANCE, BY_SPREAD = 0, 1, 2


@njit(cache=True)
def _importance(nodes: Nodes, node: int) -> float:
    """The largest distance between a node's value and a child's; 0 where none is known."""
    largest = 0.0
    child = nodes[node].first_child
    while child != NO_NODE:
        distance = abs(float(nodes[child].value) - float(nodes[node].value))
        largest = distance if distance > largest else largest  # NaN is never greater
        child = nodes[child].next_sibling
    return largest


@njit(cache=True)
def _spread(nodes: Nodes, node: int) -> float:
    """The largest distance between a child's mean and the mean of these means; children without visits do not count."""
    total, visited = 0.0, 0
    child = nodes[node].first_child
    while child != NO_NODE:
        if nodes[child].visits > 0:
            total += float(nodes[child].value_sum) / nodes[child].visits
            visited += 1
        child = nodes[child].next_sibling
    largest = 0.0
    child = nodes[node].first_child
    while child != NO_NODE:
        if nodes[child].visits > 0:
            distance = abs(float(nodes[child].value_sum) / nodes[child].visits - total / visited)
            largest = max(largest, distance)
        child = nodes[child].next_sibling
    return largest


@njit(cache=True)
def _widen(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    growth: int,
    scale: float,
    power: float,
    least: int,
    most: int,
    root_least: int,
    root_most: int,
) -> None:
    for i in range(len(leaves)):
        node, is_free = leaves[i], False
        while node != NO_NODE:
            record = nodes[node]
            if is_free:
                record.flags &= FREE
            if record.flags & EXPANDED and not record.flags & FINAL and record.in_flight == 0:
                is_root = record.parent == NO_NODE
                cap = float(root_most if is_root else most)
                if record.flags & CLOSED:
                    wanted = cap
                elif growth == BY_IMPORTANCE:
                    wanted = math.floor(scale * _importance(nodes, node)) + 1.0
                elif growth == BY_SPREAD:
                    wanted = math.floor(scale * _spread(nodes, node))
                else:
                    wanted = math.ceil(scale * float(record.visits) ** power)
                wanted = min(cap, max(float(root_least if is_root else least), wanted))
                if ledger[node].draws < wanted:
                    record.flags &= REOPENED
                    is_free = True
            node = record.parent


def widen_by_visits(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    scale: float,
    power: float,
    least: int,
    most: int,
    root_least: int,
    root_most: int,
) -> None:
    """Let walks end at the nodes between each leaf and its root that have fewer draws than their visits ask for.

    Such a node is no longer expanded, and open again with all its ancestors. ceil(scale n^power) draws are asked for,
    `most` where nothing beneath is open. Nodes with leaves in flight stay as they are. To be called after `close`.

    Args:
        leaves: [L] int32.
        scale: > 0.
        power: > 0.
        least: Draws that every node is to have.
        most: Draws that no node exceeds.
        root_least: `least` of a root.
        root_most: `most` of a root.
    """
    _widen(nodes, ledger, leaves, BY_VISITS, scale, power, least, most, root_least, root_most)


def widen_by_importance(
    nodes: Nodes, ledger: Ledger, leaves: Ids, scale: float, least: int, most: int, root_least: int, root_most: int
) -> None:
    """`widen_by_visits` with floor(scale I) + 1 draws, I = max |v(child) - v| (AlphaLLM, arXiv 2404.12253, 4.3.2)."""
    _widen(nodes, ledger, leaves, BY_IMPORTANCE, scale, 1.0, least, most, root_least, root_most)


def widen_by_spread(
    nodes: Nodes, ledger: Ledger, leaves: Ids, scale: float, least: int, most: int, root_least: int, root_most: int
) -> None:
    """`widen_by_visits` with floor(scale I) draws, I = max |Q_i - mean_j Q_j| over children (AlphaLLM's code)."""
    _widen(nodes, ledger, leaves, BY_SPREAD, scale, 1.0, least, most, root_least, root_most)
