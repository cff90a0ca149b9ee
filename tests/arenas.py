"""Random trees and the arena of records that mirrors them."""

from collections.abc import Callable, Sequence
from math import nan
from random import Random

import naive
import numpy as np
from hypothesis import strategies as st

from mcts import kernels
from mcts.kernels.records import BUSY
from mcts.tree import NO_NODE, Flag

FIELDS = ("visits", "draws", "count", "value_sum", "evidence", "value", "depth", "in_flight", "flags", "prior")
GARBAGE = 0xA5
ROOM = 400

seeds = st.integers(0, 2**64 - 1)
dice = st.builds(Random, st.integers(0, 2**32))  # sizes shrink; what fills them falls by a seed, which is fast


@st.composite
def trees(draw: st.DrawFn, *, expanded: bool = False, valued: bool = True) -> list[naive.Node]:
    """A tree of any shape, its nodes in order of creation; `expanded` closes what is exhausted, as MCTS* leaves it."""
    size, rng, grain = draw(st.integers(0, 30)), draw(dice), draw(st.sampled_from([2, 4, 1 << 20]))

    def value() -> float:
        return naive.single(rng.randint(0, grain) / grain)

    tree = [naive.Node(0)]
    for ordinal in range(1, size + 1):
        open_nodes = [node for node in tree if not node.flags]
        flags = rng.choice([0, 0, 0, Flag.CLOSED, Flag.FINAL | Flag.CLOSED]) if ordinal > 1 else 0
        tree.append(
            naive.Node(
                ordinal, rng.choice(open_nodes), flags=int(flags), prior=naive.single(rng.choice((0.0, 0.1, 0.6)))
            )
        )
    for node in tree:
        node.visits, node.draws, node.value, node.evidence = rng.randint(0, 4), rng.randint(0, 3), value(), value()
        node.count = rng.randint(0, 3)
        node.value_sum = naive.single(value() * node.visits)
        if not valued and rng.random() < 0.5:
            node.value = nan
    tree[0].draws += rng.randint(0, 6)
    if expanded:
        for node in reversed(tree):
            if node.children:
                node.flags |= Flag.EXPANDED
                naive.close(node)
    return tree


class Arena:
    """The records of some trees, scattered over an arena that is full of garbage otherwise."""

    def __init__(self, forest: Sequence[list[naive.Node]], placement: Random) -> None:
        count = sum(len(tree) for tree in forest)
        self.end = 2 * count  # beyond it is room for blocks of siblings
        self.nodes, self.ledger = kernels.allocate(self.end + ROOM)
        for records in (self.nodes, self.ledger):
            records.view(np.uint8)[:] = GARBAGE
        places = iter(placement.sample(range(2 * count), count))
        self.id_of = {node: next(places) for tree in forest for node in tree}
        self.node_at = {place: node for node, place in self.id_of.items()}
        order = [node for tree in forest for node in tree]
        placement.shuffle(order)  # trees grow in turns ...
        order.sort(key=lambda node: node.ordinal)  # ... and parents before children
        for node in order:
            parent = NO_NODE if node.parent is None else self.id_of[node.parent]
            kernels.append_child(
                self.nodes, self.ledger, parent, self.id_of[node], node.ordinal, node.prior, node.flags
            )
            for name in ("visits", "draws", "count", "value_sum", "evidence", "value"):
                self.column(name)[self.id_of[node]] = getattr(node, name)

    def add_block(self, siblings: Sequence[naive.Node], room: int) -> None:
        """Know nodes that a kernel wrote at the end of what was in use."""
        for i, node in enumerate(siblings):
            self.id_of[node], self.node_at[self.end + i] = self.end + i, node
        self.end += room

    def column(self, name: str) -> np.ndarray:
        return (self.nodes if name in kernels.NODE.names else self.ledger)[name]

    def ids(self, chosen: Sequence[naive.Node]) -> kernels.Ids:
        return np.asarray([self.id_of[node] for node in chosen], np.int32)

    def assert_equal(self, forest: Sequence[list[naive.Node]]) -> None:
        nodes = [node for tree in forest for node in tree]
        for name in FIELDS:
            expected = [getattr(node, name) for node in nodes]
            if name == "flags":
                expected = [node.flags | (BUSY if node.is_busy() else 0) for node in nodes]
            np.testing.assert_array_equal(self.column(name)[self.ids(nodes)], expected, err_msg=name)
        unused = np.setdiff1d(np.arange(len(self.nodes)), list(self.node_at))
        for records in (self.nodes, self.ledger):
            assert np.all(records.view(np.uint8).reshape(len(records), -1)[unused] == GARBAGE)


def forests(**kind: bool) -> st.SearchStrategy[list[list[naive.Node]]]:
    return st.lists(trees(**kind), min_size=1, max_size=3)


def select(
    kernel: Callable[..., None], arena: Arena, roots: Sequence[naive.Node], seeds: list[int], *how: float
) -> list:
    chosen = np.full(len(roots), -7, np.int32)
    out = chosen if kernel is kernels.select_prefix else chosen[:, None]
    hold = () if kernel is kernels.select_prefix else (False,)
    where = arena.nodes, arena.ledger, arena.ids(roots), np.asarray(seeds, np.uint64)
    kernel(*where, *how, *hold, out)
    return [None if place == NO_NODE else arena.node_at[int(place)] for place in chosen]
