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
def _census(nodes: Nodes, ledger: Ledger, root: int) -> tuple[int, float, int]:
    """Draws in a tree, mean depth of its finished solutions (NaN without any), depth of its deepest node."""
    draws, finals, final_depth, deepest = 0, 0, 0, 0
    node = root
    while node != NO_NODE:
        record = nodes[node]
        draws += ledger[node].draws
        deepest = max(deepest, record.depth)
        if record.flags & FINAL:
            finals += 1
            final_depth += record.depth
        node = _next_in_preorder(nodes, node, root)
    return draws, final_depth / finals if finals else np.nan, deepest


@njit(cache=True)
def mean_value(nodes: Nodes, ledger: Ledger, node: int) -> float:
    """What the scorer says of a draw at `node` on average: of the node itself, once, and of each step drawn there."""
    total, weight = float(nodes[node].value), 1.0
    child = nodes[node].first_child
    while child != NO_NODE:
        if not np.isnan(nodes[child].value):
            total += ledger[child].count * nodes[child].value
            weight += ledger[child].count
        child = nodes[child].next_sibling
    return total / weight


@njit(cache=True)
def expected_success(
    above: float, mean: float, value: float, evidence: float, visits: int, strength: float, doubt: float
) -> float:
    """The probability p that a solution drawn at a node is correct: (k q + successes) / (k + visits).

    q = v (p_parent / m)^doubt is expected of it. With full doubt, p_parent v / m: on average a step is as good as the
    prefix it was drawn at, and the scorer only says which are better than their like, so one that knows nothing changes
    nothing. With none, v: the scorer is taken at its word, whatever came of other draws at the parent.

    Args:
        above: p of the parent; 1 for a root.
        mean: m, `mean_value` of the parent; 1 for a root.
        value: v, NaN where it is not known.
        strength: k > 0, the weight of q in draws.
        doubt: In [0, 1].
    """
    expected = above if np.isnan(value) or mean == 0.0 else min(1.0, value * (above / mean) ** doubt)
    return (strength * expected + evidence) / (strength + visits)


@njit(cache=True)
def branching_index(nodes: Nodes, ledger: Ledger, node: int, success: float, mean_depth: float) -> float:
    """New correct solutions to be expected per step drawn at `node`: what one draw there brings over what it costs.

    u p / (1 + u (steps to go - 1)): a step is drawn first, and with probability u it is one that the tree does not
    have; only then the solution is drawn to its end, correct with probability p. u = 1 - sum over children of prior.
    Where a probability is not known, it is at most the share of new steps among those drawn so far, (1 + children) /
    (1 + draws).

    Args:
        success: p, of `expected_success`.
        mean_depth: Steps of a solution.
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
    return new * success / (1.0 + new * max(0.0, mean_depth - record.depth - 1.0))


@njit(cache=True)
def _best_prefix(
    nodes: Nodes,
    ledger: Ledger,
    root: int,
    seed: np.uint64,
    strength: float,
    doubt: float,
    mean_depth: float,
    deepest: int,
) -> int:
    """The open node with a value and the highest index; the root where there is none."""
    success, mean = np.empty(deepest + 2), np.empty(deepest + 2)  # on the way to the node, one deeper than it
    success[0], mean[0] = 1.0, 1.0
    best, best_score = root, -np.inf
    node = root
    while node != NO_NODE:
        record, line = nodes[node], ledger[node]
        d = record.depth
        success[d + 1] = expected_success(
            success[d], mean[d], record.value, line.evidence, record.visits, strength, doubt
        )
        mean[d + 1] = mean_value(nodes, ledger, node)
        if not record.flags & CLOSED and not np.isnan(record.value):
            score = branching_index(nodes, ledger, node, success[d + 1], mean_depth)
            if score > best_score or (
                score == best_score and _tie_break(seed, line.ordinal) > _tie_break(seed, ledger[best].ordinal)
            ):
                best, best_score = node, score
        node = _next_in_preorder(nodes, node, root)
    return best


@njit(cache=True)
def select_prefix(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    strength: float,
    doubt: float,
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
        strength: k > 0, the weight of what is expected of a prefix, in draws.
        doubt: In [0, 1], see `expected_success`.
        root_share: In [0, 1].
        opening: Draws at the root before any branching.
        prefixes: [T] int32, written.
    """
    for t in range(len(roots)):
        root = roots[t]
        draws, mean_depth, deepest = _census(nodes, ledger, root)
        if ledger[root].draws < max(opening, root_share * draws) or np.isnan(mean_depth):
            prefixes[t] = root
        else:
            prefixes[t] = _best_prefix(nodes, ledger, root, seeds[t], strength, doubt, mean_depth, deepest)
