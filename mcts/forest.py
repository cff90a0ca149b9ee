"""The forest: one arena of node records for all trees that are searched at once, and the steps that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isnan, nan

import numpy as np

from mcts import kernels
from mcts.kernels import Ledger, Nodes
from mcts.kernels.records import ACCEPTED, CLOSED, EXPANDED, EXPORTED_FLAGS, FINAL, REJECTED
from mcts.ports import Checker
from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Record, SearchTree
from mcts.types import Continuation, Problem, Proposal, Spent, State, Step, StepEnd, Values


@dataclass(slots=True)
class Tree:
    """A tree that is being searched: a handle into the forest.

    Attributes:
        nodes: Arena ids in order of creation; `nodes[0]` is the root.
        children: (parent, token ids, text, end) -> child, so that a step drawn twice is one node.
        tells_priors: Whether every step came with its probability.
        is_solved: Whether the checker accepted a solution.
        draws: (prefix, end) of each continuation, in the order in which they were grown.
    """

    problem: Problem
    seed: int
    tells_priors: bool = True
    is_solved: bool = False
    nodes: list[int] = field(default_factory=list)
    children: dict[tuple[int, tuple[int, ...], str, StepEnd], int] = field(default_factory=dict)
    draws: list[tuple[int, int]] = field(default_factory=list)

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
        self._hold(*kernels.allocate(capacity))
        self._steps: list[Step | None] = [None] * capacity
        self._scores = [nan] * capacity
        self._free = list(range(capacity - 1, -1, -1))

    def _hold(self, records: Nodes, ledger: Ledger) -> None:
        """Take an arena, and views of the fields that are read one node at a time: a row of it is slow to look at."""
        self.nodes, self.ledger = records, ledger
        self._value, self._parent, self._flags = records["value"], records["parent"], records["flags"]
        self._draws, self._count = ledger["draws"], ledger["count"]

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
        tree.draws.clear()

    def state(self, tree: Tree, node: int, beyond: tuple[Step, ...] = ()) -> State:
        """The problem and the steps on the way to `node`, then those `beyond` it."""
        steps: list[Step] = []
        while (step := self._steps[node]) is not None:
            steps.append(step)
            node = int(self._parent[node])
        return State(tree.problem, (*reversed(steps), *beyond))

    def assign(self, node: int, values: Values, scores: Values) -> None:
        """Write the values of the prefixes of `node`, root first, where a node has none yet.

        Args:
            values: What is read of the scores.
            scores: The scorer's own.
        """
        for value, score in zip(reversed(values), reversed(scores), strict=True):
            if isnan(self._value[node]):
                self._value[node] = value
            if isnan(self._scores[node]):
                self._scores[node] = score
            node = int(self._parent[node])

    def draws(self, node: int) -> int:
        """Continuations grown at `node`, duplicates included."""
        return int(self._draws[node])

    def count(self, node: int) -> int:
        """How often the step that leads to `node` was drawn there."""
        return int(self._count[node])

    def ends(self, tree: Tree) -> list[int]:
        """The nodes where draws ended: solutions, and what nothing may be built on; in order of creation."""
        records = self.nodes[tree.nodes]
        return [
            tree.nodes[i]
            for i in np.flatnonzero((records["flags"] & CLOSED != 0) & (records["first_child"] == NO_NODE))
        ]

    def flags(self, node: int) -> int:
        """Bits of `tree.Flag`."""
        return int(self._flags[node]) & EXPORTED_FLAGS

    def depth(self, node: int) -> int:
        """Steps from the root to `node`."""
        return int(self.nodes[node]["depth"])

    def children(self, node: int) -> list[int]:
        """The children of `node`, in order of creation."""
        found, child = [], int(self.nodes[node]["first_child"])
        while child != NO_NODE:
            found.append(child)
            child = int(self.nodes[child]["next_sibling"])
        return found

    def step(self, node: int) -> Step:
        """The step that leads to `node`, which is no root."""
        step = self._steps[node]
        assert step is not None
        return step

    def parent(self, node: int) -> int:
        """The node that `node` continues; `NO_NODE` for a root."""
        return int(self._parent[node])

    def value(self, node: int) -> float:
        """The value of `node`; NaN until it was scored."""
        return float(self._value[node])

    def is_open(self, node: int) -> bool:
        """Whether something beneath `node` may still be selected."""
        return not self._flags[node] & CLOSED

    def is_final(self, node: int) -> bool:
        """Whether `node` completes a solution."""
        return bool(self._flags[node] & FINAL)

    def best_final(self, tree: Tree) -> int:
        """The answer: a solution the checker accepted, else the one of the highest value not rejected, else any."""
        return int(kernels.best_final(self.nodes, np.asarray(tree.nodes, np.int32)))

    def fault(self, tree: Tree, *, counted: bool = False) -> tuple[int, kernels.Fault]:
        """The first node whose records disagree with its neighbours', and how; `NO_NODE` where all is well.

        Args:
            counted: Whether backups go up to the root, so that a node has the visits of all its children.
        """
        roots = np.asarray([tree.root], np.int32)
        node, fault = kernels.find_fault(self.nodes, self.ledger, roots, counted)
        return int(node), kernels.Fault(fault)

    def export(self, tree: Tree, *, strategy: str, temperature: float, spent: Spent, answer: int) -> SearchTree:
        """The tree as columns of its own, nodes renumbered in order of creation."""
        ids = np.asarray(tree.nodes, np.int32)
        records = self.nodes[ids]
        ordinal_of = {node: ordinal for ordinal, node in enumerate(tree.nodes)}
        parents = [ordinal_of.get(int(parent), NO_NODE) for parent in records["parent"]]
        drawn = np.asarray([(ordinal_of[prefix], ordinal_of[end]) for prefix, end in tree.draws], np.int32)
        prefixes, ends = drawn.reshape(-1, 2).T
        scores = np.asarray([self._scores[node] for node in tree.nodes])
        return SearchTree(
            problem=tree.problem,
            strategy=strategy,
            seed=tree.seed,
            spent=spent,
            answer=ordinal_of.get(answer, NO_NODE),
            steps=tuple(self._steps[node] for node in tree.nodes),
            parent=np.asarray(parents, np.int32),
            visits=records["visits"].copy(),
            value_sum=self.ledger[ids]["evidence"] + records["value_sum"],
            value=records["value"].copy(),
            prior=records["prior"].copy(),
            flags=(records["flags"] & np.uint8(EXPORTED_FLAGS)).astype(np.uint16),
            record=Record(temperature, prefixes.copy(), ends.copy(), scores),
        )

    # --- growth -----------------------------------------------------------------------------------------------------

    def grow(self, tree: Tree, node: int, proposal: Proposal) -> list[int]:
        """Add continuations beneath `node`; returns the node each ends at. A step that is there is not added again."""
        self._draws[node] += len(proposal)
        ends = [self._graft(tree, node, continuation) for continuation in proposal]
        tree.draws.extend((node, end) for end in ends)
        return ends

    def expand(self, tree: Tree, node: int) -> None:
        """Let walks go on to the children of `node`; their priors become shares of the draws where none are told."""
        self._flags[node] |= EXPANDED
        if not tree.tells_priors:
            kernels.share_priors(self.nodes, self.ledger, node)

    def finish(self, node: int) -> None:
        """Let `node` count as a finished solution."""
        self._flags[node] |= FINAL | CLOSED | EXPANDED

    def revalue(self, node: int, value: float, *, counts: bool = True) -> None:
        """Set the value of `node` and, if it `counts`, count a visit."""
        self._value[node] = value
        self.nodes[node]["visits"] += counts

    def check(self, tree: Tree, node: int) -> bool | None:
        """Ask the checker about the solution that ends at `node`; None where there is none, or it has not ended."""
        if self.checker is None or self.is_open(node):
            return None
        if not self.is_final(node):
            return False
        accepted = self.checker.check(tree.problem, self.state(tree, node).steps)
        self._flags[node] |= ACCEPTED if accepted else REJECTED
        tree.is_solved |= accepted
        return accepted

    def _graft(self, tree: Tree, node: int, continuation: Continuation) -> int:
        for step in continuation:
            key = (node, step.token_ids, step.text, step.end)
            child = tree.children.get(key)
            if child is None:
                tree.tells_priors &= bool(step.logprobs)
                child = self._append(tree, node, step, prior_of(step), self._flags_of(step, node))
                tree.children[key] = child
            self._count[child] += 1
            node = child
        return node

    def _flags_of(self, step: Step, parent: int) -> int:
        if step.end is StepEnd.FINAL:
            return FINAL | CLOSED
        too_deep = self.nodes[parent]["depth"] + 1 >= self.max_depth
        dead = step.end is StepEnd.TRUNCATED or not step.text or too_deep or not self.is_open(parent)
        return CLOSED if dead else 0

    def _append(self, tree: Tree, parent: int, step: Step | None, prior: float, flags: int) -> int:
        if not self._free:
            self._double()
        node = self._free.pop()
        self._steps[node], self._scores[node] = step, nan
        kernels.append_child(self.nodes, self.ledger, parent, node, len(tree.nodes), prior, flags)
        tree.nodes.append(node)
        return node

    def _double(self) -> None:
        old = len(self.nodes)
        records, ledger = kernels.allocate(2 * old)
        records[:old], ledger[:old] = self.nodes, self.ledger
        self._hold(records, ledger)
        self._steps.extend([None] * old)
        self._scores.extend([nan] * old)
        self._free.extend(range(2 * old - 1, old - 1, -1))


def prior_of(step: Step) -> float:
    """The policy's probability of a step; `UNKNOWN_PRIOR` where it tells none."""
    return exp(sum(step.logprobs)) if step.logprobs else UNKNOWN_PRIOR
