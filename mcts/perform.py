"""Tree requests of many trees, answered together: those of one kind and setting go into one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mcts import kernels
from mcts.forest import Forest, Tree
from mcts.kernels import Ids
from mcts.requests import (
    BackupChildMean,
    BackupMax,
    BackupMean,
    Check,
    Credit,
    Expand,
    Finish,
    Grow,
    Release,
    Revalue,
    SelectPrefix,
    SelectPuct,
    SelectUcb,
    SelectUct,
    TreeRequest,
    Widen,
)
from mcts.widening import Growth, Widening


def perform(forest: Forest, batch: Sequence[tuple[Tree, TreeRequest]]) -> list[object]:
    """Answer tree requests of many trees; those of one kind and setting go into one compiled call."""
    replies: list[object] = [None] * len(batch)
    groups: dict[object, list[int]] = {}
    for i, (_, request) in enumerate(batch):
        groups.setdefault(_setting_of(request), []).append(i)
    for key, members in groups.items():
        trees = [batch[i][0] for i in members]
        requests = [batch[i][1] for i in members]
        for i, reply in zip(members, _perform_alike(forest, key, trees, requests), strict=True):
            replies[i] = reply
    return replies


def _perform_alike(forest: Forest, key: object, trees: list[Tree], requests: list[TreeRequest]) -> Iterator[object]:
    match key:
        case SelectUct():
            bound = (key.exploration, key.log_factor, key.unvisited_bonus)
            yield from _select(forest, kernels.select_uct, trees, bound, hold=False)
        case SelectUcb():
            yield from _select(forest, kernels.select_ucb, trees, (key.exploration, key.log_factor), hold=False)
        case SelectPuct():
            score = (key.c_init, key.c_base, key.unvisited_value)
            yield from _select(forest, kernels.select_puct, trees, score, hold=key.hold)
        case SelectPrefix():
            yield from _select_prefix(forest, key, trees)
        case Widening():
            _widen(forest, key, requests)
            yield from (None for _ in requests)
        case _ if key in (Credit, BackupChildMean, BackupMean, BackupMax, Release):
            _back_up(forest, key, trees, requests)
            yield from (None for _ in requests)
        case _:
            for tree, request in zip(trees, requests, strict=True):
                yield _perform_one(forest, tree, request)


def _back_up(forest: Forest, kind: object, trees: list[Tree], requests: Sequence[Any]) -> None:
    leaves = np.asarray([request.leaf for request in requests], np.int32)
    if kind is Credit:
        prefixes = np.asarray([request.prefix for request in requests], np.int32)
        evidence = np.asarray([request.evidence for request in requests], np.float64)
        kernels.credit(forest.nodes, forest.ledger, leaves, prefixes, evidence)
        return
    if kind is BackupChildMean:
        kernels.backup_child_mean(forest.nodes, leaves)
    elif kind is BackupMax:
        kernels.backup_child_max(forest.nodes, leaves)
    elif kind is BackupMean:
        values = np.asarray([request.value for request in requests], np.float32)
        for wave in _waves(trees):
            kernels.backup_mean(forest.nodes, leaves[wave], values[wave])
    else:
        kernels.release(forest.nodes, leaves)
    kernels.close(forest.nodes, leaves)


def _widen(forest: Forest, widening: Widening, requests: Sequence[Any]) -> None:
    leaves = np.asarray([request.leaf for request in requests], np.int32)
    where, bounds = (forest.nodes, forest.ledger, leaves, widening.scale), widening.bounds
    if widening.growth == Growth.PROGRESSIVE:
        kernels.widen_by_visits(*where, widening.power, *bounds)
    elif widening.growth == Growth.IMPORTANCE:
        kernels.widen_by_importance(*where, *bounds)
    elif widening.growth == Growth.SPREAD:
        kernels.widen_by_spread(*where, *bounds)


def _perform_one(forest: Forest, tree: Tree, request: TreeRequest) -> object:
    match request:
        case Grow(node, proposal):
            return forest.grow(tree, node, proposal)
        case Check(node):
            return forest.check(tree, node)
        case Expand(node):
            forest.expand(tree, node)
        case Finish(node):
            forest.finish(node)
        case Revalue(node, value, counts):
            forest.revalue(node, value, counts=counts)
    return None


def _select(
    forest: Forest, kernel: Callable[..., None], trees: list[Tree], arguments: tuple[float, ...], *, hold: bool
) -> list[int]:
    roots, seeds = _roots_and_seeds(trees)
    chosen = np.empty((len(trees), 1), np.int32)
    for wave in _waves(trees):
        leaves = np.empty((len(wave), 1), np.int32)
        kernel(forest.nodes, forest.ledger, roots[wave], seeds[wave], *arguments, hold, leaves)
        chosen[wave] = leaves
    return [int(node) for node in chosen[:, 0]]


def _select_prefix(forest: Forest, index: SelectPrefix, trees: list[Tree]) -> list[int]:
    chosen: Ids = np.empty(len(trees), np.int32)
    where = forest.nodes, forest.ledger, *_roots_and_seeds(trees)
    kernels.select_prefix(*where, index.strength, index.doubt, index.root_share, index.opening, chosen)
    return [int(node) for node in chosen]


def _setting_of(request: TreeRequest) -> object:
    """What requests have in common that one compiled call may answer."""
    match request:
        case SelectUct() | SelectUcb() | SelectPuct() | SelectPrefix():
            return request
        case Widen():
            return request.widening
        case _:
            return type(request)


def _roots_and_seeds(trees: list[Tree]) -> tuple[Ids, kernels.Seeds]:
    return np.asarray([tree.root for tree in trees], np.int32), np.asarray([tree.seed for tree in trees], np.uint64)


def _waves(trees: list[Tree]) -> list[list[int]]:
    """Positions in order, shared out so that each wave has a tree once: the n-th request of a tree is in wave n."""
    waves: list[list[int]] = []
    turns: dict[int, int] = {}
    for position, tree in enumerate(trees):
        turn = turns.get(id(tree), 0)
        turns[id(tree)] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(position)
    return waves
