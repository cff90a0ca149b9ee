"""The compiled core: every kernel works on one array of node records shared by all trees.

All kernels stand in this one file because numba's disk cache does not see edits in another. They take the nodes (or
roots) of the trees that are ready, never "all trees"; they hold no random state (ties fall by a hash of the node's
ordinal within its tree, so a result does not depend on where a tree lies in the arena); hyper-parameters are arguments.

Axis letters: N nodes of the arena, T trees in this call, L leaves in this call.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Flag

NODE = np.dtype(
    [
        ("value_sum", np.float64),  # evidence backed up through the node
        ("parent", np.int32),
        ("first_child", np.int32),
        ("last_child", np.int32),
        ("next_sibling", np.int32),
        ("visits", np.int32),
        ("draws", np.int32),  # continuations drawn at this very node, duplicates included
        ("ordinal", np.int32),  # order of creation within the tree; the root has 0
        ("value", np.float32),  # NaN until scored
        ("prior", np.float32),
        ("depth", np.int16),
        ("flags", np.uint16),
    ],
    align=True,
)
"""One record a node: selection reads one cache line per child instead of one per field."""

FINAL = int(Flag.FINAL)
CLOSED = int(Flag.CLOSED)
EXPANDED = int(Flag.EXPANDED)

Nodes = NDArray[np.void]
Ids = NDArray[np.int32]


@njit(cache=True)
def _tie_break(seed: np.uint64, ordinal: int) -> np.uint64:
    """SplitMix64 finaliser of (tree seed, ordinal)."""
    z = seed ^ (np.uint64(ordinal) * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def append_child(nodes: Nodes, parent: int, child: int, ordinal: int, prior: float, flags: int) -> None:
    """Write the record of a new node and chain it behind its parent's children."""
    node = nodes[child]
    node.value_sum = 0.0
    node.parent = parent
    node.first_child = NO_NODE
    node.last_child = NO_NODE
    node.next_sibling = NO_NODE
    node.visits = 0
    node.draws = 0
    node.ordinal = ordinal
    node.value = np.nan
    node.prior = prior
    node.depth = 0
    node.flags = flags
    if parent == NO_NODE:
        return
    above = nodes[parent]
    node.depth = above.depth + 1
    if above.first_child == NO_NODE:
        above.first_child = child
    else:
        nodes[above.last_child].next_sibling = child
    above.last_child = child


@njit(cache=True)
def select_uct(
    nodes: Nodes,
    roots: Ids,
    seeds: NDArray[np.uint64],
    exploration: float,
    log_factor: float,
    unvisited_bonus: float,
    leaves: Ids,
) -> None:
    """Walk from each root to an unexpanded node by UCT (ReST-MCTS*, section 3; reference code `executeRound`).

    U(child) = V + c sqrt(f ln n_parent / n_child), or V + bonus while unvisited; children that are closed or have no
    value are passed over.

    Args:
        roots: [T] int32.
        seeds: [T] uint64, for ties.
        exploration: c.
        log_factor: f: 2 in the reference code, 1 in the paper.
        unvisited_bonus: Finite first-play urgency.
        leaves: [T] int32, written: the leaf, or `NO_NODE` where nothing can be selected.
    """
    for t in range(len(roots)):
        node = roots[t]
        if nodes[node].flags & CLOSED:
            leaves[t] = NO_NODE
            continue
        while node != NO_NODE and nodes[node].flags & EXPANDED:
            spread = exploration * np.sqrt(log_factor * np.log(max(1, nodes[node].visits)))
            best, best_score = NO_NODE, -np.inf
            child = nodes[node].first_child
            while child != NO_NODE:
                record = nodes[child]
                if not record.flags & CLOSED:
                    bonus = spread / np.sqrt(record.visits) if record.visits > 0 else unvisited_bonus
                    score = record.value + bonus
                    if score > best_score or (
                        score == best_score
                        and _tie_break(seeds[t], record.ordinal) > _tie_break(seeds[t], nodes[best].ordinal)
                    ):
                        best, best_score = child, score
                child = record.next_sibling
            node = best
        leaves[t] = node


@njit(cache=True)
def _next_in_preorder(nodes: Nodes, node: int, root: int) -> int:
    if nodes[node].first_child != NO_NODE:
        return nodes[node].first_child
    while node != root and nodes[node].next_sibling == NO_NODE:
        node = nodes[node].parent
    return NO_NODE if node == root else nodes[node].next_sibling


@njit(cache=True)
def _census(nodes: Nodes, root: int) -> tuple[int, float]:
    """Draws in a tree, and the mean depth of its finished solutions (NaN without any)."""
    draws, finals, final_depth = 0, 0, 0
    node = root
    while node != NO_NODE:
        record = nodes[node]
        draws += record.draws
        if record.flags & FINAL:
            finals += 1
            final_depth += record.depth
        node = _next_in_preorder(nodes, node, root)
    return draws, final_depth / finals if finals else np.nan


@njit(cache=True)
def branching_index(nodes: Nodes, node: int, strength: float, mean_depth: float) -> float:
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
        new = min(new, (1.0 + children) / (1.0 + max(record.draws, record.visits)))
    new = max(0.0, new)
    success = (strength * record.value + record.value_sum) / (strength + record.visits)
    return new * success / (1.0 + new * max(0.0, mean_depth - record.depth - 1.0))


@njit(cache=True)
def select_prefix(
    nodes: Nodes,
    roots: Ids,
    seeds: NDArray[np.uint64],
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
        draws, mean_depth = _census(nodes, root)
        if nodes[root].draws < max(opening, root_share * draws) or np.isnan(mean_depth):
            continue
        best_score = -np.inf
        node = root
        while node != NO_NODE:
            record = nodes[node]
            if not record.flags & CLOSED:
                score = branching_index(nodes, node, strength, mean_depth)
                best = nodes[prefixes[t]].ordinal
                if score > best_score or (
                    score == best_score and _tie_break(seeds[t], record.ordinal) > _tie_break(seeds[t], best)
                ):
                    prefixes[t], best_score = node, score
            node = _next_in_preorder(nodes, node, root)


@njit(cache=True)
def credit(nodes: Nodes, leaves: Ids, prefixes: Ids, evidence: NDArray[np.float64]) -> None:
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
            nodes[node].value_sum += evidence[i]
            if node == prefixes[i]:
                break
            node = nodes[node].parent


@njit(cache=True)
def backup_child_mean(nodes: Nodes, leaves: Ids) -> None:
    """Back up from each expanded leaf to its root: V = sum n_c V_c / sum n_c (ReST-MCTS*, value backpropagation).

    Unvisited children weigh nothing; a node none of whose children was visited keeps its own value.

    Args:
        leaves: [L] int32, the nodes that were just expanded.
    """
    for i in range(len(leaves)):
        node = leaves[i]
        while node != NO_NODE:
            record = nodes[node]
            record.visits += 1
            visits, total = 0, 0.0
            child = record.first_child
            while child != NO_NODE:
                visits += nodes[child].visits
                total += nodes[child].visits * nodes[child].value
                child = nodes[child].next_sibling
            if visits > 0:
                record.value = total / visits
            node = record.parent


@njit(cache=True)
def close(nodes: Nodes, leaves: Ids) -> None:
    """Close each leaf if it is expanded and all its children are closed, and so on upwards.

    Args:
        leaves: [L] int32.
    """
    for i in range(len(leaves)):
        node = leaves[i]
        while node != NO_NODE and nodes[node].flags & EXPANDED:
            child = nodes[node].first_child
            while child != NO_NODE and nodes[child].flags & CLOSED:
                child = nodes[child].next_sibling
            if child != NO_NODE:
                break
            nodes[node].flags |= CLOSED
            node = nodes[node].parent


@njit(cache=True)
def infer_labels(
    parent: Ids,
    correct: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    remaining: Ids,
    hard: NDArray[np.float32],
    progress: NDArray[np.float32],
) -> None:
    """Process reward inference on one verified tree (ReST-MCTS*, section 3.2 and Eq. 1-2).

    m is the least number of further steps to a correct answer, copied from the nearest right ancestor below a wrong
    step; the hard estimate is 1 where a correct answer was found beneath; v_k = max(0, v_(k-1) + (1 - v_(k-1)) (+-1) /
    (m_k + 1)). Nodes that lead to no verified leaf stay unlabelled, and so does a tree without a correct leaf.

    Args:
        parent: [N] int32 in order of creation (parents first, root 0).
        correct: [N] bool, leaves verified as correct.
        wrong: [N] bool, leaves verified as wrong.
        remaining: [N] int32, written: m, or -1.
        hard: [N] float32, written: hard estimate, or NaN.
        progress: [N] float32, written: v, or NaN.
    """
    count = len(parent)
    remaining[:] = -1
    hard[:] = np.nan
    progress[:] = np.nan
    verified = correct | wrong
    for n in range(count - 1, -1, -1):
        if correct[n]:
            remaining[n] = 0
        if n == 0:
            break
        p = parent[n]
        if verified[n]:
            verified[p] = True
        if remaining[n] >= 0 and (remaining[p] < 0 or remaining[n] + 1 < remaining[p]):
            remaining[p] = remaining[n] + 1
    if remaining[0] < 0:
        return
    hard[0] = 1.0
    progress[0] = 0.0
    for n in range(1, count):
        if not verified[n]:
            continue
        p = parent[n]
        if remaining[n] >= 0:
            hard[n] = 1.0
            sign = 1.0
        else:
            hard[n] = 0.0
            remaining[n] = remaining[p]
            sign = -1.0
        progress[n] = max(0.0, progress[p] + (1.0 - progress[p]) * sign / (remaining[n] + 1))


@njit(cache=True)
def success_rates(
    parent: Ids,
    correct: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    draws: Ids,
    rates: NDArray[np.float32],
) -> None:
    """Share of the solutions drawn through each node that are correct (soft Monte-Carlo label of Math-Shepherd).

    Args:
        parent: [N] int32 in order of creation.
        correct: [N] bool.
        wrong: [N] bool.
        draws: [N] int32, how often each leaf was drawn.
        rates: [N] float32, written: the rate, or NaN where no verified leaf lies beneath.
    """
    count = len(parent)
    successes = np.zeros(count)
    drawn = np.zeros(count)
    for n in range(count - 1, -1, -1):
        if correct[n] or wrong[n]:
            weight = max(1, draws[n])
            drawn[n] += weight
            if correct[n]:
                successes[n] += weight
        if n > 0:
            successes[parent[n]] += successes[n]
            drawn[parent[n]] += drawn[n]
        rates[n] = successes[n] / drawn[n] if drawn[n] > 0 else np.nan
