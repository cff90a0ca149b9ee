"""A simulation on stored draws: what a pool deals is grown, valued, checked and credited as the search does it.

Compiled anew in each process, as `replay` is.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mcts.kernels.backup import credit
from mcts.kernels.grow import append_child
from mcts.kernels.records import ACCEPTED, CLOSED, FINAL, REJECTED, Ids, Ledger, Nodes
from mcts.tree import NO_NODE

STORED = np.dtype(
    [
        ("prior", np.float64),
        ("tokens", np.int64),  # from the root to the node
        ("first_draw", np.int64),  # where the draws at the node begin among all
        ("draws", np.int32),
        ("parent", np.int32),
        ("kind", np.uint8),  # OPEN, or what nothing may be built on: WHOLE, DEAD
        ("is_accepted", np.bool_),  # by a checker
    ],
    align=True,
)
"""A node of a pool; ids are numbers within its tree."""

OPEN, WHOLE, DEAD = 0, 1, 2
Stored = NDArray[np.void]


@njit
def deal(stored: Stored, ends: Ids, whole: NDArray[np.bool_], prefix: int, drawn: int, landed: Ids) -> bool:
    """Take the next draws at `prefix`: solutions at the root, steps elsewhere. False where there are too few."""
    if drawn + len(landed) > stored[prefix].draws:
        return False
    first = stored[prefix].first_draw + drawn
    for i in range(len(landed)):
        landed[i] = ends[first + i]
        if prefix == 0 and not whole[first + i]:
            return False
        while prefix != 0 and stored[landed[i]].parent != prefix:
            landed[i] = stored[landed[i]].parent
    return True


@njit
def tokens_dealt(stored: Stored, prefix: int, landed: Ids) -> int:
    """Tokens of what landed."""
    total = 0
    for end in landed:
        total += stored[end].tokens - stored[prefix].tokens
    return total


@njit
def _graft(
    nodes: Nodes, ledger: Ledger, stored: Stored, prefix: int, end: int, max_depth: int, members: Ids, count: int
) -> int:
    """Add the way from `prefix` to `end` to the tree, where it has it not; returns how many nodes the tree has then."""
    depth, node = 0, end
    while node != prefix:
        depth += 1
        node = stored[node].parent
    for below in range(depth - 1, -1, -1):
        node = end
        for _ in range(below):
            node = stored[node].parent
        if ledger[node].ordinal == NO_NODE:
            parent, kind = stored[node].parent, stored[node].kind
            flags = FINAL | CLOSED if kind == WHOLE else 0
            if kind == DEAD or nodes[parent].depth + 1 >= max_depth or nodes[parent].flags & CLOSED:
                flags |= CLOSED
            append_child(nodes, ledger, parent, node, count, stored[node].prior, flags)
            members[count] = node
            count += 1
        ledger[node].count += 1
    return count


@njit
def grow_dealt(
    nodes: Nodes, ledger: Ledger, stored: Stored, prefix: int, landed: Ids, max_depth: int, members: Ids, count: int
) -> int:
    """Add what landed to the tree; returns how many nodes it has then, of which `members` has the new ones, too."""
    ledger[prefix].draws += len(landed)
    for end in landed:
        count = _graft(nodes, ledger, stored, prefix, end, max_depth, members, count)
    return count


@njit
def _branch(stored: Stored, end: int, known: NDArray[np.bool_]) -> int:
    """Where a continuation left the tree that is marked as known; `NO_NODE` where it did not. All of it is, then."""
    if known[end]:
        return NO_NODE
    node = end
    while not known[node]:
        known[node] = True
        node = stored[node].parent
    return node


@njit
def _assign(nodes: Nodes, stored: Stored, read: NDArray[np.float64], node: int) -> None:
    while node != NO_NODE:
        if np.isnan(nodes[node].value):
            nodes[node].value = read[node]
        node = stored[node].parent


@njit
def _check(nodes: Nodes, stored: Stored, value: float, is_checked: bool, leaf: int) -> float:
    """Note the verdict on a leaf; returns what it is evidence of (`mcts.search.search.assess`)."""
    if is_checked and nodes[leaf].flags & CLOSED:
        if not nodes[leaf].flags & FINAL:
            return 0.0
        nodes[leaf].flags |= ACCEPTED if stored[leaf].is_accepted else REJECTED
        return 1.0 if stored[leaf].is_accepted else 0.0
    return 0.0 if np.isnan(value) else value


@njit
def assess_dealt(
    nodes: Nodes,
    ledger: Ledger,
    stored: Stored,
    read: NDArray[np.float64],
    is_scored: bool,
    is_checked: bool,
    samples: bool,
    landed: Ids,
    known: NDArray[np.bool_],
) -> bool:
    """Value, check and credit what landed; False where a value is asked that nobody gave."""
    origins, evidence = np.zeros(len(landed), np.int32), np.empty(len(landed))
    kept = 0
    for leaf in landed:
        origin = 0 if samples else _branch(stored, leaf, known)
        if origin != NO_NODE:
            landed[kept], origins[kept] = leaf, origin
            kept += 1
    if is_scored:
        for leaf in landed[:kept]:
            if np.isnan(read[leaf]):
                return False
            _assign(nodes, stored, read, leaf)
    for i in range(kept):
        value = read[landed[i]] if is_scored else np.nan
        evidence[i] = _check(nodes, stored, value, is_checked, landed[i])
    credit(nodes, ledger, landed[:kept], origins[:kept], evidence[:kept])
    return True
