"""New nodes: one at a time where width grows, blocks of siblings where it is fixed."""

from __future__ import annotations

import numba
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from mcts.kernels.records import EXPANDED, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

THREADED_FROM = 512


@njit(cache=True)
def append_child(nodes: Nodes, ledger: Ledger, parent: int, child: int, ordinal: int, prior: float, flags: int) -> None:
    """Write the records of a new node and chain it behind its parent's children.

    Args:
        parent: `NO_NODE` for a root.
        child: Id of the new node.
        ordinal: Its number within the tree.
        prior: Probability under the policy.
        flags: Of `Flag`.
    """
    _write(nodes, ledger, child, parent, NO_NODE, ordinal, 0, prior, np.nan, flags)
    if parent == NO_NODE:
        return
    nodes[child].depth = nodes[parent].depth + 1
    if nodes[parent].first_child == NO_NODE:
        nodes[parent].first_child = child
    else:
        nodes[ledger[parent].last_child].next_sibling = child
    ledger[parent].last_child = child
    ledger[parent].children += 1


@njit(cache=True)
def _write(
    nodes: Nodes,
    ledger: Ledger,
    node: int,
    parent: int,
    sibling: int,
    ordinal: int,
    depth: int,
    prior: float,
    value: float,
    flags: int,
) -> None:
    record = nodes[node]
    record.value_sum = 0.0
    record.visits = 0
    record.prior = prior
    record.value = value
    record.parent = parent
    record.first_child = NO_NODE
    record.next_sibling = sibling
    record.depth = depth
    record.in_flight = 0
    record.flags = flags
    line = ledger[node]
    line.evidence = 0.0
    line.last_child = NO_NODE
    line.draws = 0
    line.ordinal = ordinal
    line.children = 0
    line.count = 0


@njit(cache=True)
def share_priors(nodes: Nodes, ledger: Ledger, node: int) -> None:
    """Give each child of `node` its share of the draws for a prior: the estimate where a policy tells none."""
    total = 0
    child = nodes[node].first_child
    while child != NO_NODE:
        total += ledger[child].count
        child = nodes[child].next_sibling
    child = nodes[node].first_child
    while child != NO_NODE:
        nodes[child].prior = ledger[child].count / max(1, total)
        child = nodes[child].next_sibling


@njit(cache=True)
def _expand_one(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    first: int,
    sizes: Ids,
    max_depth: int,
    priors: NDArray[np.float32],
    values: NDArray[np.float32],
    i: int,
) -> None:
    leaf, width = leaves[i], priors.shape[1]
    if leaf == NO_NODE or nodes[leaf].depth >= max_depth:
        return
    start, depth = first + i * width, nodes[leaf].depth + 1
    for b in range(width):
        sibling = start + b + 1 if b + 1 < width else NO_NODE
        _write(nodes, ledger, start + b, leaf, sibling, sizes[i] + b, depth, priors[i, b], values[i, b], 0)
    nodes[leaf].first_child = start
    nodes[leaf].flags |= EXPANDED
    ledger[leaf].last_child = start + width - 1
    ledger[leaf].children = width
    sizes[i] += width


@njit(cache=True)
def _expand(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    first: int,
    sizes: Ids,
    max_depth: int,
    priors: NDArray[np.float32],
    values: NDArray[np.float32],
) -> None:
    for i in range(len(leaves)):
        _expand_one(nodes, ledger, leaves, first, sizes, max_depth, priors, values, i)


@njit(cache=True, parallel=True)
def _expand_threaded(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    first: int,
    sizes: Ids,
    max_depth: int,
    priors: NDArray[np.float32],
    values: NDArray[np.float32],
) -> None:
    for i in prange(len(leaves)):
        _expand_one(nodes, ledger, leaves, first, sizes, max_depth, priors, values, i)


def expand(
    nodes: Nodes,
    ledger: Ledger,
    leaves: Ids,
    first: int,
    sizes: Ids,
    max_depth: int,
    priors: NDArray[np.float32],
    values: NDArray[np.float32],
) -> None:
    """Give each leaf its children, all it will get, in one block; what `append_child` does for widths that grow.

    Args:
        leaves: [L] int32, of different trees, without children. `NO_NODE` and leaves at `max_depth` stay as they are.
        first: Where the blocks begin: that of leaf i takes the ids from `first + i * B`, which must be unused (and stay
            unused where a leaf stays as it is). An even id begins a cache line.
        sizes: [L] int32, read and written: the nodes of each leaf's tree, thus the next ordinal.
        max_depth: Depth of the deepest nodes.
        priors: [L, B] float32, B of at least 1.
        values: [L, B] float32, NaN where not known.
    """
    run = _expand_threaded if len(leaves) >= THREADED_FROM and numba.get_num_threads() > 1 else _expand
    run(nodes, ledger, leaves, first, sizes, max_depth, priors, values)
