"""A finished search tree as plain columns: what is stored, verified, labelled and shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from mcts.types import Problem, Spent, Step

NO_NODE = -1
ROOT = 0
UNKNOWN_PRIOR = 0.0
"""The prior of a step whose policy tells no log-probabilities."""


class Flag(IntFlag):
    """Bits of a node's `flags`."""

    FINAL = 1
    """The node completes a solution."""
    CLOSED = 2
    """Nothing beneath may be selected again: complete, truncated, at the depth limit, or all children closed."""
    EXPANDED = 4
    """Children were drawn."""
    ACCEPTED = 8
    """A checker accepted the solution that ends here."""
    REJECTED = 16
    """A checker rejected it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What engines replied while a tree grew, as far as its nodes do not tell: with it the tree can be searched again.

    Axes: D draws, N nodes.

    Attributes:
        temperature: Of the draws.
        prefix: [D] int32, the node at which each continuation was drawn, in the order in which they were grown.
        end: [D] int32, the node at which it ends; a continuation that was drawn twice is there twice.
        scores: [N] float64, the scorer's own value of each node, before it was aggregated; NaN where never asked.
    """

    temperature: float
    prefix: NDArray[np.int32]
    end: NDArray[np.int32]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SearchTree:
    """One problem's tree after its search.

    Node 0 is the root (the bare problem); nodes are in order of creation, so parents precede children. Axis N: nodes.

    Attributes:
        strategy: Name of the search that grew the tree.
        seed: 64-bit seed of the search.
        spent: What it cost.
        answer: The node the search chose as its answer, or `NO_NODE`.
        steps: [N] the step that leads to each node; `steps[0]` is None.
        parent: [N] int32, `NO_NODE` for the root.
        visits: [N] int32.
        value_sum: [N] float64, backed-up evidence.
        value: [N] float32, the node's value; NaN where never scored.
        prior: [N] float32, probability of the step under the policy, before temperature; 0 where it is not known.
        flags: [N] uint16 of `Flag`.
        failure: Why the search was given up; empty where it went as it should.
        at_marks: The tree as it was at each of its query's marks.
        record: None where it was not kept.
    """

    problem: Problem
    strategy: str
    seed: int
    spent: Spent
    answer: int
    steps: tuple[Step | None, ...]
    parent: NDArray[np.int32]
    visits: NDArray[np.int32]
    value_sum: NDArray[np.float64]
    value: NDArray[np.float32]
    prior: NDArray[np.float32]
    flags: NDArray[np.uint16]
    failure: str = ""
    at_marks: tuple[SearchTree, ...] = ()
    record: Record | None = None

    def lineage(self, node: int) -> list[int]:
        """The nodes from the root to `node`."""
        way = [node]
        while way[-1] != ROOT:
            way.append(int(self.parent[way[-1]]))
        return way[::-1]

    def path(self, node: int) -> tuple[Step, ...]:
        """The steps from the root to `node`."""
        steps: list[Step] = []
        while node > ROOT:
            step = self.steps[node]
            assert step is not None
            steps.append(step)
            node = int(self.parent[node])
        return tuple(reversed(steps))

    def depths(self) -> NDArray[np.int32]:
        """[N] the steps from the root to each node."""
        found = np.zeros(len(self.parent), np.int32)
        for node in range(1, len(found)):
            found[node] = found[self.parent[node]] + 1
        return found

    def finals(self) -> NDArray[np.intp]:
        """Nodes that complete a solution, in order of creation."""
        return np.flatnonzero(self.flags & Flag.FINAL)
