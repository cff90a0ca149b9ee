"""The forest: one arena of node records for all trees that are searched at once, and the steps that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import exp

import numpy as np

from mcts import kernels
from mcts.kernels import NODE, Ids, Nodes
from mcts.ports import Checker
from mcts.requests import (
    BackupChildMean,
    Check,
    Credit,
    Expand,
    Finish,
    Grow,
    Revalue,
    SelectPrefix,
    SelectUct,
    TreeRequest,
)
from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Flag, SearchTree
from mcts.types import Continuation, Problem, Spent, State, Step, StepEnd, Values


@dataclass(slots=True)
class Tree:
    """A tree that is being searched: a handle into the forest.

    Attributes:
        nodes: Arena ids in order of creation; `nodes[0]` is the root.
        children: (parent, token ids, text, end) -> child, so that a step drawn twice is one node.
    """

    problem: Problem
    seed: int
    nodes: list[int] = field(default_factory=list)
    children: dict[tuple[int, tuple[int, ...], str, StepEnd], int] = field(default_factory=dict)

    @property
    def root(self) -> int:
        """The arena id of the bare problem."""
        return self.nodes[0]


class Forest:
    """All trees under search.

    Args:
        max_depth: Steps after which a branch is closed.
        checker: The task's checker, where outcomes may be seen by the search.
        capacity: Records to begin with; the arena doubles when full.
    """

    def __init__(self, *, max_depth: int, checker: Checker | None = None, capacity: int = 4096) -> None:
        self.max_depth = max_depth
        self.checker = checker
        self._records: Nodes = np.zeros(capacity, NODE)
        self._steps: list[Step | None] = [None] * capacity
        self._free = list(range(capacity - 1, -1, -1))

    # --- trees ------------------------------------------------------------------------------------------------------

    def plant(self, problem: Problem, seed: int) -> Tree:
        """Begin a tree with the bare problem as its root."""
        tree = Tree(problem, seed)
        self._append(tree, NO_NODE, None, prior=1.0, flags=0)
        return tree

    def release(self, tree: Tree) -> None:
        """Give the nodes of a finished tree back to the arena."""
        for node in tree.nodes:
            self._steps[node] = None
        self._free.extend(reversed(tree.nodes))
        tree.nodes.clear()
        tree.children.clear()

    def state(self, tree: Tree, node: int, beyond: tuple[Step, ...] = ()) -> State:
        """The problem and the steps on the way to `node`, then those `beyond` it."""
        steps: list[Step] = []
        while (step := self._steps[node]) is not None:
            steps.append(step)
            node = int(self._records[node]["parent"])
        return State(tree.problem, (*reversed(steps), *beyond))

    def assign(self, node: int, values: Values) -> None:
        """Write the values of the prefixes of `node`, root first, where a node has none yet."""
        for value in reversed(values):
            if np.isnan(self._records[node]["value"]):
                self._records[node]["value"] = value
            node = int(self._records[node]["parent"])

    def count_draws(self, node: int, width: int) -> None:
        """Record that `width` continuations were drawn at `node`."""
        self._records[node]["draws"] += width

    def parent(self, node: int) -> int:
        """The node that `node` continues; `NO_NODE` for a root."""
        return int(self._records[node]["parent"])

    def value(self, node: int) -> float:
        """The value of `node`; NaN until it was scored."""
        return float(self._records[node]["value"])

    def is_open(self, node: int) -> bool:
        """Whether something beneath `node` may still be selected."""
        return not self._records[node]["flags"] & Flag.CLOSED

    def is_final(self, node: int) -> bool:
        """Whether `node` completes a solution."""
        return bool(self._records[node]["flags"] & Flag.FINAL)

    def is_solved(self, tree: Tree) -> bool:
        """Whether the checker accepted a solution."""
        return bool(np.any(self._records[tree.nodes]["flags"] & Flag.ACCEPTED))

    def export(self, tree: Tree, *, strategy: str, spent: Spent) -> SearchTree:
        """The tree as columns of its own, nodes renumbered in order of creation."""
        ids = np.asarray(tree.nodes, np.int32)
        records = self._records[ids]
        ordinal_of = {node: ordinal for ordinal, node in enumerate(tree.nodes)}
        parents = [ordinal_of.get(int(parent), NO_NODE) for parent in records["parent"]]
        return SearchTree(
            problem=tree.problem,
            strategy=strategy,
            seed=tree.seed,
            spent=spent,
            answer=NO_NODE,
            steps=tuple(self._steps[node] for node in tree.nodes),
            parent=np.asarray(parents, np.int32),
            visits=records["visits"].copy(),
            value_sum=records["value_sum"].copy(),
            value=records["value"].copy(),
            prior=records["prior"].copy(),
            flags=records["flags"].copy(),
        )

    # --- requests, many trees at once -------------------------------------------------------------------------------

    def perform(self, batch: Sequence[tuple[Tree, TreeRequest]]) -> list[object]:
        """Answer tree requests of many trees; those of one kind and setting go into one compiled call."""
        replies: list[object] = [None] * len(batch)
        groups: dict[object, list[int]] = {}
        for i, (_, request) in enumerate(batch):
            key: object = request if isinstance(request, SelectUct | SelectPrefix) else type(request)
            groups.setdefault(key, []).append(i)
        for key, members in groups.items():
            trees = [batch[i][0] for i in members]
            requests = [batch[i][1] for i in members]
            for i, reply in zip(members, self._perform_alike(key, trees, requests), strict=True):
                replies[i] = reply
        return replies

    def _perform_alike(self, key: object, trees: list[Tree], requests: list[TreeRequest]) -> Iterator[object]:
        match key:
            case SelectUct():
                bound = (key.exploration, key.log_factor, key.unvisited_bonus)
                yield from self._select(kernels.select_uct, trees, bound)
            case SelectPrefix():
                index = (key.strength, key.root_share, key.opening)
                yield from self._select(kernels.select_prefix, trees, index)
            case _ if key is Credit:
                credits = [request for request in requests if isinstance(request, Credit)]
                leaves = np.asarray([request.leaf for request in credits], np.int32)
                prefixes = np.asarray([request.prefix for request in credits], np.int32)
                evidence = np.asarray([request.evidence for request in credits], np.float64)
                kernels.credit(self._records, leaves, prefixes, evidence)
                yield from (None for _ in credits)
            case _ if key is BackupChildMean:
                leaves = np.asarray([r.leaf for r in requests if isinstance(r, BackupChildMean)], np.int32)
                kernels.backup_child_mean(self._records, leaves)
                kernels.close(self._records, leaves)
                yield from (None for _ in leaves)
            case _:
                for tree, request in zip(trees, requests, strict=True):
                    yield self._perform_one(tree, request)

    def _perform_one(self, tree: Tree, request: TreeRequest) -> object:
        match request:
            case Grow(node, proposal):
                return [self._graft(tree, node, continuation) for continuation in proposal]
            case Check(node):
                return self._check(tree, node)
            case Expand(node):
                self._records[node]["flags"] |= Flag.EXPANDED
            case Finish(node):
                self._records[node]["flags"] |= Flag.FINAL | Flag.CLOSED | Flag.EXPANDED
            case Revalue(node, value):
                self._records[node]["value"] = value
                self._records[node]["visits"] += 1
        return None

    def _select(self, kernel: object, trees: list[Tree], arguments: tuple[float, ...]) -> list[int]:
        roots = np.asarray([tree.root for tree in trees], np.int32)
        seeds = np.asarray([tree.seed for tree in trees], np.uint64)
        chosen: Ids = np.empty(len(trees), np.int32)
        kernel(self._records, roots, seeds, *arguments, chosen)  # type: ignore[operator]
        return [int(node) for node in chosen]

    # --- growth -----------------------------------------------------------------------------------------------------

    def _graft(self, tree: Tree, node: int, continuation: Continuation) -> int:
        for step in continuation:
            key = (node, step.token_ids, step.text, step.end)
            child = tree.children.get(key)
            if child is None:
                prior = exp(sum(step.logprobs)) if step.logprobs else UNKNOWN_PRIOR
                child = self._append(tree, node, step, prior, self._flags_of(step, node))
                tree.children[key] = child
            node = child
        return node

    def _flags_of(self, step: Step, parent: int) -> int:
        if step.end is StepEnd.FINAL:
            return Flag.FINAL | Flag.CLOSED
        too_deep = self._records[parent]["depth"] + 1 >= self.max_depth
        dead = step.end is StepEnd.TRUNCATED or not step.text or too_deep or not self.is_open(parent)
        return Flag.CLOSED if dead else 0

    def _append(self, tree: Tree, parent: int, step: Step | None, prior: float, flags: int) -> int:
        if not self._free:
            self._double()
        node = self._free.pop()
        self._steps[node] = step
        kernels.append_child(self._records, parent, node, len(tree.nodes), prior, flags)
        tree.nodes.append(node)
        return node

    def _double(self) -> None:
        old = len(self._records)
        records = np.zeros(2 * old, NODE)
        records[:old] = self._records
        self._records = records
        self._steps.extend([None] * old)
        self._free.extend(range(2 * old - 1, old - 1, -1))

    def _check(self, tree: Tree, node: int) -> bool | None:
        if self.checker is None or self.is_open(node):
            return None
        if not self.is_final(node):
            return False
        accepted = self.checker.check(tree.problem, self.state(tree, node).steps)
        self._records[node]["flags"] |= Flag.ACCEPTED if accepted else Flag.REJECTED
        return accepted
