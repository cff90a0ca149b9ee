"""Rollout branching: from which kept prefix the next step is drawn."""

from __future__ import annotations

import numpy as np
from numba import njit

from mcts.kernels.records import CLOSED, FINAL, Ids, Ledger, Nodes, Seeds
from mcts.tree import NO_NODE, UNKNOWN_PRIOR


@njit(cache=True)
def _tie_break(seed: np.uint64, ordinal: int) -> np.uint64:
    """SplitMix64 finaliser of (tree seed, ordinal)."""
    z = seed ^ (np.uint64(ordinal) * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _next_in_preorder(nodes: Nodes, node: int, root: int) -> int:
    if nodes[node].first_child != NO_NODE:
        return nodes[node].first_child
    while node != root and nodes[node].next_sibling == NO_NODE:
        node = nodes[node].parent
    return NO_NODE if node == root else nodes[node].next_sibling


@njit(cache=True)
def _census(nodes: Nodes, ledger: Ledger, root: int) -> tuple[int, float]:
    """Draws in a tree, and the mean depth of its finished solutions (NaN without any)."""
    draws, finals, final_depth = 0, 0, 0
    node = root
    while node != NO_NODE:
        record = nodes[node]
        draws += ledger[node].draws
        if record.flags & FINAL:
            finals += 1
            final_depth += record.depth
        node = _next_in_preorder(nodes, node, root)
    return draws, final_depth / finals if finals else np.nan


@njit(cache=True)
def branching_index(nodes: Nodes, ledger: Ledger, node: int, strength: float, mean_depth: float) -> float:
    """New correct solutions to be expected per step drawn at `node`: what one draw there brings over what it costs.

    u p / (1 + u (steps to go - 1)): a step is drawn first, and with probability u it is one that the tree does not
    have; only then the solution is drawn to its end, correct with probability p = (k v + successes) / (k + visits).
    u = 1 - sum over children of prior. Where a probability is not known, it is at most the share of new steps among
    those drawn so far, (1 + children) / (1 + draws).

    Args:
        strength: k > 0, the weight of the scorer's value v in draws.
        mean_depth: Steps of a solution.

    Returns:
        NaN where the node has no value.
    """
    record = nodes[node]
    new, children, unknown = 1.0, 0, False
    child = record.first_child
    while child != NO_NODE:
        children += 1
        new -= nodes[child].prior
        unknown |= nodes[child].prior == UNKNOWN_PRIOR
        child = nodes[child].next_sibling
    if unknown:
        new = min(new, (1.0 + children) / (1.0 + max(ledger[node].draws, record.visits)))
    new = max(0.0, new)
    success = (strength * record.value + ledger[node].evidence) / (strength + record.visits)
    return new * success / (1.0 + new * max(0.0, mean_depth - record.depth - 1.0))


@njit(cache=True)
def select_prefix(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    strength: float,
    root_share: float,
    opening: int,
    prefixes: Ids,
) -> None:
    """Choose from which kept prefix of each tree the next step is drawn (rollout branching): the highest index.

    The root is taken while it has fewer than `opening` draws or less than `root_share` of all: a wrong scorer cannot
    starve it.

    Args:
        roots: [T] int32.
        seeds: [T] uint64, for ties.
        strength: k > 0, the weight of the scorer's value in draws.
        root_share: In [0, 1].
        opening: Draws at the root before any branching.
        prefixes: [T] int32, written.
    """
    for t in range(len(roots)):
        root = roots[t]
        prefixes[t] = root
        draws, mean_depth = _census(nodes, ledger, root)
        if ledger[root].draws < max(opening, root_share * draws) or np.isnan(mean_depth):
            continue
        best_score = -np.inf
        node = root
        while node != NO_NODE:
            record = nodes[node]
            if not record.flags & CLOSED:
                score = branching_index(nodes, ledger, node, strength, mean_depth)
                best = ledger[prefixes[t]].ordinal
                if score > best_score or (
                    score == best_score and _tie_break(seeds[t], ledger[node].ordinal) > _tie_break(seeds[t], best)
                ):
                    prefixes[t], best_score = node, score
            node = _next_in_preorder(nodes, node, root)
