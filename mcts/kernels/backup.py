"""From a leaf to the root: what a simulation has found, what is exhausted, and what is no longer in flight."""

from __future__ import annotations

import numba
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from mcts.kernels.records import BUSY, CLOSED, EXPANDED, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

THREADED_FROM = 512
MEAN, MAX = 0, 1
NOT_BUSY = 255 - BUSY


@njit(cache=True)
def credit(nodes: Nodes, ledger: Ledger, leaves: Ids, prefixes: Ids, evidence: NDArray[np.float64]) -> None:
    """Add evidence about what was drawn to every node from its last up to the prefix that it is evidence for.

    Nodes above the prefix learn nothing: that the search chose the prefix says nothing about their own success rate.

    Args:
        leaves: [L] int32.
        prefixes: [L] int32, each an ancestor of its leaf, or the leaf.
        evidence: [L] in [0, 1].
    """
    for i in range(len(leaves)):
        node = leaves[i]
        while True:
            nodes[node].visits += 1
            ledger[node].evidence += evidence[i]
            if node == prefixes[i]:
                break
            node = nodes[node].parent


@njit(cache=True)
def _backup_mean_one(nodes: Nodes, leaf: int, value: float) -> None:
    if leaf == NO_NODE:
        return
    held = min(1, nodes[leaf].in_flight)
    kept = NOT_BUSY if held else 255
    node = leaf
    while node != NO_NODE:
        record = nodes[node]
        record.visits += 1
        record.value_sum += value
        record.in_flight -= held
        record.flags &= kept
        node = record.parent


@njit(cache=True)
def _backup_mean(nodes: Nodes, leaves: Ids, values: NDArray[np.float32]) -> None:
    for i in range(len(leaves)):
        _backup_mean_one(nodes, leaves[i], values[i])


@njit(cache=True, parallel=True)
def _backup_mean_threaded(nodes: Nodes, leaves: Ids, values: NDArray[np.float32]) -> None:
    for i in prange(len(leaves)):
        _backup_mean_one(nodes, leaves[i], values[i])


def backup_mean(nodes: Nodes, leaves: Ids, values: NDArray[np.float32]) -> None:
    """Count a visit and add the value on the way from each leaf to its root: Q = value_sum / visits (AlphaZero).

    A leaf in flight is no longer, afterwards. Where it has closed, call `close` next: its ancestors may be busy.

    Args:
        leaves: [L] int32, of different trees. `NO_NODE` is passed over.
        values: [L] float32.
    """
    run = _backup_mean_threaded if len(leaves) >= THREADED_FROM and numba.get_num_threads() > 1 else _backup_mean
    run(nodes, leaves, values)


@njit(cache=True)
def release(nodes: Nodes, leaves: Ids) -> None:
    """Take leaves out of flight without a visit; as `backup_mean` does it, `close` included.

    Args:
        leaves: [L] int32; what is not in flight is passed over.
    """
    for i in range(len(leaves)):
        node = leaves[i]
        if nodes[node].in_flight == 0:
            continue
        while node != NO_NODE:
            nodes[node].in_flight -= 1
            nodes[node].flags &= NOT_BUSY
            node = nodes[node].parent


@njit(cache=True)
def _backup_children(nodes: Nodes, leaves: Ids, rule: int) -> None:
    for i in range(len(leaves)):
        node = leaves[i]
        held = min(1, nodes[node].in_flight)
        kept = NOT_BUSY if held else 255
        while node != NO_NODE:
            record = nodes[node]
            record.visits += 1
            record.in_flight -= held
            record.flags &= kept
            visits, total, highest = 0, 0.0, np.float32(-np.inf)
            child = record.first_child
            while child != NO_NODE:
                visits += nodes[child].visits
                total += nodes[child].visits * nodes[child].value
                highest = max(highest, nodes[child].value)  # NaN is never greater
                child = nodes[child].next_sibling
            if rule == MAX and highest > -np.inf:
                record.value = highest
            elif rule == MEAN and visits > 0:
                record.value = total / visits
            node = record.parent


def backup_child_mean(nodes: Nodes, leaves: Ids) -> None:
    """Back up from each expanded leaf to its root: V = sum n_c V_c / sum n_c (ReST-MCTS*, value backpropagation).

    Unvisited children weigh nothing; a node none of whose children was visited keeps its own value. A leaf in flight is
    no longer, afterwards; `close` follows, as after `backup_mean`.

    Args:
        leaves: [L] int32, the nodes that were just expanded.
    """
    _backup_children(nodes, leaves, MEAN)


def backup_child_max(nodes: Nodes, leaves: Ids) -> None:
    """Back up from each expanded leaf to its root: V = max V_c over children with a value (Coulom, 2007, "max").

    Visits are counted; a node none of whose children has a value keeps its own. What is in flight: as
    `backup_child_mean` has it.

    Args:
        leaves: [L] int32, the nodes that were just expanded.
    """
    _backup_children(nodes, leaves, MAX)


@njit(cache=True)
def close(nodes: Nodes, leaves: Ids) -> None:
    """Close each leaf if it is expanded and all its children are closed, and so on upwards.

    On the way, a node whose open children are all busy is busy again.

    Args:
        leaves: [L] int32.
    """
    for i in range(len(leaves)):
        node = leaves[i]
        while node != NO_NODE and nodes[node].flags & EXPANDED:
            child, exhausted = nodes[node].first_child, True
            while child != NO_NODE and nodes[child].flags & (CLOSED | BUSY):
                exhausted &= nodes[child].flags & CLOSED != 0
                child = nodes[child].next_sibling
            if child != NO_NODE:
                break
            nodes[node].flags |= CLOSED if exhausted else BUSY
            node = nodes[node].parent
