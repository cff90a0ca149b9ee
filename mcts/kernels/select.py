"""Walks from the root to a leaf, by UCT or PUCT.

Few trees are walked one after the other. Many are walked in lockstep, `GROUP` at a time: a walk that needs a record
which may not be in cache asks for it and lets the others go on meanwhile. Very many are shared out to threads by group.
All three do the same arithmetic in the same order.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from mcts.kernels.records import BUSY, CLOSED, EXPANDED, MOST_IN_FLIGHT, Ids, Ledger, Nodes, Seeds
from mcts.tree import NO_NODE

GROUP = 32
SERIAL_BELOW = 4
THREADED_FROM = 512
TABULATED = 1024
PASSED_OVER = CLOSED | BUSY
UCT, PUCT, UCB = 0, 1, 2


@intrinsic
def _prefetch(typing_context: Any, nodes: Any, node: Any) -> Any:
    """Ask for the cache line of a record without waiting for it. An id outside the array does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        byte = ir.IntType(8).as_pointer()
        address = builder.bitcast(builder.gep(array.data, [index]), byte)
        number = ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
        read, keep, data = (ir.Constant(number, flag) for flag in (0, 3, 1))
        builder.call(prefetch, [address, read, keep, data])
        return context.get_dummy_value()

    return types.void(nodes, node), generate


@njit(cache=True, error_model="numpy")
def _tie_break(seed: np.uint64, ordinal: int) -> np.uint64:
    """SplitMix64 finaliser of (tree seed, ordinal)."""
    z = seed ^ (np.uint64(ordinal) * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, error_model="numpy")
def _spread(rule: int, visits: int, a: float, b: float) -> float:
    """The part of the exploration term that a node's children share."""
    if rule == PUCT:
        return math.sqrt(visits) * (math.log((visits + b + 1.0) / b) + a)
    return a * math.sqrt(b * math.log(max(1, visits)))


@lru_cache(maxsize=32)
def _spreads(rule: int, a: float, b: float) -> NDArray[np.float64]:
    """[V] `_spread` of 0 to V - 1 visits: most nodes have few, and a logarithm costs as much as four children."""
    return np.asarray([_spread(rule, visits, a, b) for visits in range(TABULATED)])


@njit(cache=True, error_model="numpy", forceinline=True)
def _look_up(spreads: NDArray[np.float64], rule: int, record: Any, a: float, b: float) -> float:
    visits = record.visits + record.in_flight
    return spreads[visits] if visits < len(spreads) else _spread(rule, visits, a, b)


@njit(cache=True, error_model="numpy", forceinline=True)
def _score(record: Any, rule: int, unvisited: float, spread: float) -> float:
    """The bound of a child; -inf where it is passed over. Free of jumps, for none could be foreseen."""
    seen = record.visits + record.in_flight
    if rule == PUCT:
        mean = record.value_sum / np.float64(max(1, record.visits)) + unvisited * np.float64(record.visits == 0)
        score = mean + record.prior * spread / (1.0 + seen)
    elif rule == UCB:
        score = record.value_sum / np.float64(max(1, record.visits)) + spread / math.sqrt(max(1, seen))
    else:
        score = record.value + (spread / math.sqrt(seen) if seen > 0 else unvisited)
    return -np.inf if record.flags & PASSED_OVER else score


@njit(cache=True, error_model="numpy", forceinline=True)
def _scan(
    nodes: Nodes,
    ledger: Ledger,
    seed: np.uint64,
    rule: int,
    unvisited: float,
    spread: float,
    child: int,
    best: int,
    best_score: float,
) -> tuple[int, int, float]:
    """Score siblings while they are adjacent: returns the next (elsewhere, or `NO_NODE`) and the best so far."""
    first, known, known_score, is_tied = child, best, best_score, False
    while True:
        record = nodes[child]
        score = _score(record, rule, unvisited, spread)
        is_tied |= score == best_score
        best = child if score > best_score else best
        best_score = score if score > best_score else best_score
        following = record.next_sibling
        if following != child + 1:
            break
        child = following
    if is_tied:
        best, best_score = _scan_tied(nodes, ledger, seed, rule, unvisited, spread, first, child, known, known_score)
    return following, best, best_score


@njit(cache=True, error_model="numpy")
def _scan_tied(
    nodes: Nodes,
    ledger: Ledger,
    seed: np.uint64,
    rule: int,
    unvisited: float,
    spread: float,
    first: int,
    last: int,
    best: int,
    best_score: float,
) -> tuple[int, float]:
    """The same over the adjacent siblings from `first` to `last`, with an eye on ties."""
    for child in range(first, last + 1):
        score = _score(nodes[child], rule, unvisited, spread)
        if score > best_score or (
            score == best_score
            and best != NO_NODE
            and _tie_break(seed, ledger[child].ordinal) > _tie_break(seed, ledger[best].ordinal)
        ):
            best, best_score = child, score
    return best, best_score


@njit(cache=True, error_model="numpy", forceinline=True)
def _enter(nodes: Nodes, root: int, hold: bool) -> tuple[bool, int]:
    """Whether the walk ends at the root, and with which leaf."""
    record = nodes[root]
    if record.flags & PASSED_OVER or (hold and record.in_flight >= MOST_IN_FLIGHT):
        return True, NO_NODE
    return not record.flags & EXPANDED, root


@njit(cache=True, error_model="numpy", forceinline=True)
def _walk_alone(
    nodes: Nodes,
    ledger: Ledger,
    root: int,
    seed: np.uint64,
    spreads: NDArray[np.float64],
    rule: int,
    a: float,
    b: float,
    unvisited: float,
) -> int:
    """The walk in its plain form, from an open root."""
    node = root
    while node != NO_NODE and nodes[node].flags & EXPANDED:
        spread = _look_up(spreads, rule, nodes[node], a, b)
        child = nodes[node].first_child
        node, score = NO_NODE, -np.inf
        while child != NO_NODE:
            child, node, score = _scan(nodes, ledger, seed, rule, unvisited, spread, child, node, score)
    return node


@njit(cache=True, error_model="numpy")
def _walk_together(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    spreads: NDArray[np.float64],
    rule: int,
    a: float,
    b: float,
    unvisited: float,
    hold: bool,
    leaves: Ids,
) -> None:
    """Up to `GROUP` walks in turns: one run of adjacent siblings each, and a prefetch of what it needs next."""
    walks = np.empty(GROUP, np.int32)  # those that go on
    child = np.empty(GROUP, np.int32)
    best = np.empty(GROUP, np.int32)
    score = np.empty(GROUP, np.float64)
    spread = np.empty(GROUP, np.float64)
    going = 0
    for i in range(len(roots)):
        ends, leaves[i] = _enter(nodes, roots[i], hold)
        if not ends:
            walks[going] = i
            going += 1
            best[i] = roots[i]
            child[i] = NO_NODE
    while going > 0:
        turn = 0
        while turn < going:
            i = walks[turn]
            if child[i] != NO_NODE:
                child[i], best[i], score[i] = _scan(
                    nodes, ledger, seeds[i], rule, unvisited, spread[i], child[i], best[i], score[i]
                )
            following = child[i]
            if following == NO_NODE:  # all siblings were seen: one level down
                node = best[i]
                if node != NO_NODE and nodes[node].flags & EXPANDED:
                    spread[i] = _look_up(spreads, rule, nodes[node], a, b)
                    best[i], score[i] = NO_NODE, -np.inf
                    following = child[i] = nodes[node].first_child
                    node = NO_NODE
                if following == NO_NODE:
                    leaves[i] = node
                    going -= 1
                    walks[turn] = walks[going]
                    continue
            _prefetch(nodes, following)
            _prefetch(nodes, following + 2)
            turn += 1


@njit(cache=True, error_model="numpy")
def _hold(nodes: Nodes, leaf: int) -> None:
    """Count the leaf in flight on its way from the root, and mark what has nothing else to offer as busy."""
    node, busy = leaf, True
    while node != NO_NODE:
        record = nodes[node]
        record.in_flight += 1
        if node != leaf and busy:
            child = record.first_child
            while child != NO_NODE and nodes[child].flags & PASSED_OVER:
                child = nodes[child].next_sibling
            busy = child == NO_NODE
        if busy:
            record.flags |= BUSY
        node = record.parent


@njit(cache=True, error_model="numpy")
def _select_group(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    spreads: NDArray[np.float64],
    rule: int,
    a: float,
    b: float,
    unvisited: float,
    hold: bool,
    leaves: Ids,
) -> None:
    for k in range(leaves.shape[1]):
        if len(roots) >= SERIAL_BELOW:
            _walk_together(nodes, ledger, roots, seeds, spreads, rule, a, b, unvisited, hold, leaves[:, k])
        else:
            for i in range(len(roots)):
                ends, leaves[i, k] = _enter(nodes, roots[i], hold)
                if not ends:
                    leaves[i, k] = _walk_alone(nodes, ledger, roots[i], seeds[i], spreads, rule, a, b, unvisited)
        if hold:
            for i in range(len(roots)):
                if leaves[i, k] != NO_NODE:
                    _hold(nodes, leaves[i, k])


@njit(cache=True, error_model="numpy")
def _select(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    spreads: NDArray[np.float64],
    rule: int,
    a: float,
    b: float,
    unvisited: float,
    hold: bool,
    leaves: Ids,
) -> None:
    if len(roots) <= GROUP:
        _select_group(nodes, ledger, roots, seeds, spreads, rule, a, b, unvisited, hold, leaves)
        return
    for begin in range(0, len(roots), GROUP):
        g = slice(begin, begin + GROUP)
        _select_group(nodes, ledger, roots[g], seeds[g], spreads, rule, a, b, unvisited, hold, leaves[g])


@njit(cache=True, error_model="numpy", parallel=True)
def _select_threaded(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    spreads: NDArray[np.float64],
    rule: int,
    a: float,
    b: float,
    unvisited: float,
    hold: bool,
    leaves: Ids,
) -> None:
    for group in prange((len(roots) + GROUP - 1) // GROUP):
        g = slice(group * GROUP, (group + 1) * GROUP)
        _select_group(nodes, ledger, roots[g], seeds[g], spreads, rule, a, b, unvisited, hold, leaves[g])


def select_uct(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    exploration: float,
    log_factor: float,
    unvisited_bonus: float,
    hold: bool,
    leaves: Ids,
) -> None:
    """Walk from each root to an unexpanded node by UCT (ReST-MCTS*, section 3; reference code `executeRound`).

    U(child) = V + c sqrt(f ln n_parent / n_child), or V + bonus while unvisited. Children that are closed, have no
    value or lead only to leaves in flight are passed over. A leaf in flight is a visit in n (WU-UCT), but not in V.

    Args:
        roots: [T] int32, different trees.
        seeds: [T] uint64, for ties.
        exploration: c.
        log_factor: f: 2 in the reference code, 1 in the paper.
        unvisited_bonus: Finite first-play urgency.
        hold: Put each leaf in flight, so that it is not chosen again before its backup; at most 255 a tree.
        leaves: [T, K] int32, written: the leaves in the order chosen (without `hold` all the same), or `NO_NODE` where
            nothing is open.
    """
    run = _select if len(roots) < THREADED_FROM or numba.get_num_threads() == 1 else _select_threaded
    spreads = _spreads(UCT, exploration, log_factor)
    run(nodes, ledger, roots, seeds, spreads, UCT, exploration, log_factor, unvisited_bonus, hold, leaves)


def select_ucb(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    exploration: float,
    log_factor: float,
    hold: bool,
    leaves: Ids,
) -> None:
    """Walk from each root to an unexpanded node by UCB1 over means: Q + c sqrt(f ln n_parent / n_child).

    Q = value_sum / visits (AlphaLLM, arXiv 2404.12253, section 3.2, with f = 2; its code has f = 1). What is passed
    over and what is in flight: as `select_uct` has it.

    Args:
        roots: [T] int32, different trees.
        seeds: [T] uint64, for ties.
        exploration: c, on the scale of the values that are backed up.
        log_factor: f.
        hold: As in `select_uct`.
        leaves: [T, K] int32, written: as in `select_uct`.
    """
    run = _select if len(roots) < THREADED_FROM or numba.get_num_threads() == 1 else _select_threaded
    spreads = _spreads(UCB, exploration, log_factor)
    run(nodes, ledger, roots, seeds, spreads, UCB, exploration, log_factor, 0.0, hold, leaves)


def select_puct(
    nodes: Nodes,
    ledger: Ledger,
    roots: Ids,
    seeds: Seeds,
    c_init: float,
    c_base: float,
    unvisited_value: float,
    hold: bool,
    leaves: Ids,
) -> None:
    """Walk from each root to an unexpanded node by PUCT (AlphaZero, pseudo-code `ucb_score`).

    Score = Q + P sqrt(n_parent) (ln((n_parent + base + 1) / base) + c_init) / (1 + n_child), Q = value_sum / visits.
    What is passed over and what is in flight: as `select_uct` has it.

    Args:
        roots: [T] int32, different trees.
        seeds: [T] uint64, for ties.
        c_init: 1.25 in AlphaZero.
        c_base: 19652 in AlphaZero.
        unvisited_value: Q of an unvisited child.
        hold: As in `select_uct`.
        leaves: [T, K] int32, written: as in `select_uct`.
    """
    run = _select if len(roots) < THREADED_FROM or numba.get_num_threads() == 1 else _select_threaded
    spreads = _spreads(PUCT, c_init, c_base)
    run(nodes, ledger, roots, seeds, spreads, PUCT, c_init, c_base, unvisited_value, hold, leaves)
