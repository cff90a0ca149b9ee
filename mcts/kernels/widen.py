"""Nodes that are to be given more continuations than they have."""

from __future__ import annotations

import math

from numba import njit

from mcts.kernels.records import BUSY, CLOSED, EXPANDED, FINAL, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

REOPENED = 255 - (CLOSED | EXPANDED)
FREE = 255 - (CLOSED | BUSY)


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
def _widen(
    nodes: Nodes, ledger: Ledger, leaves: Ids, by_importance: bool, scale: float, power: float, most: int
) -> None:
    for i in range(len(leaves)):
        node, is_free = leaves[i], False
        while node != NO_NODE:
            record = nodes[node]
            if is_free:
                record.flags &= FREE
            if record.flags & EXPANDED and not record.flags & FINAL and record.in_flight == 0:
                if record.flags & CLOSED:
                    wanted = float(most)
                elif by_importance:
                    wanted = math.floor(scale * _importance(nodes, node)) + 1.0
                else:
                    wanted = math.ceil(scale * float(record.visits) ** power)
                if ledger[node].draws < min(float(most), wanted):
                    record.flags &= REOPENED
                    is_free = True
            node = record.parent


def widen_by_visits(nodes: Nodes, ledger: Ledger, leaves: Ids, scale: float, power: float, most: int) -> None:
    """Let walks end at the nodes between each leaf and its root that have fewer draws than their visits ask for.

    Such a node is no longer expanded, and open again with all its ancestors. ceil(scale n^power) draws are asked for,
    `most` where nothing beneath is open. Nodes with leaves in flight stay as they are. To be called after `close`.

    Args:
        leaves: [L] int32.
        scale: > 0.
        power: > 0.
        most: Draws that no node exceeds.
    """
    _widen(nodes, ledger, leaves, False, scale, power, most)


def widen_by_importance(nodes: Nodes, ledger: Ledger, leaves: Ids, scale: float, most: int) -> None:
    """`widen_by_visits` with floor(scale I) + 1 for the draws asked for, I = max |v(child) - v| (AlphaLLM, 4.3.2).

    Args:
        leaves: [L] int32.
        scale: > 0.
        most: Draws that no node exceeds.
    """
    _widen(nodes, ledger, leaves, True, scale, 1.0, most)
