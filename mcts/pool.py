"""A finished tree as a pool of draws: what its engines replied, ready to be replied again.

Behind each prefix lies an endless stack of independent draws, of which the tree shows the first. A search that takes
them from the top, each once, sees what it would have seen with the policy itself, as long as the stacks last. So a draw
is only ever dealt at the prefix where it was made. One that passed through another prefix has a fair continuation
there, too, but was it dealt there, the draws that are left where it was made would be those that went elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mcts.aggregate import Aggregate
from mcts.errors import InputError
from mcts.ports import Checker
from mcts.tree import NO_NODE, ROOT, Record, SearchTree
from mcts.types import Continuation, Proposal, Propose, State, Step, StepEnd, Until, Values

NOT_KEPT = "{} makes draws that its tree does not keep (rollouts, options), expected a search that grows all it draws"

Key = tuple[int, tuple[int, ...], str, StepEnd]


class Pool:
    """A tree with its record. Axes: N nodes, D draws.

    Attributes:
        stacks: [N + 1] int64, where the draws at each node begin in `ends`.
        ends: [D] int32, the node at which each draw ends, by the node where it was made, in order.
        tokens: [N] int64, tokens from the root to each node.

    Raises:
        InputError: The tree has no record, or draws were made that it does not keep (rollouts, options).
    """

    def __init__(self, tree: SearchTree) -> None:
        self.tree = tree
        self.record = record = _record_of(tree)
        self.tokens = tokens_to(tree)
        _check(tree, record)
        order = np.argsort(record.prefix, kind="stable")
        self.ends = record.end[order]
        self.stacks = np.searchsorted(record.prefix[order], np.arange(len(tree.steps) + 1))

    @cached_property
    def _children(self) -> Mapping[Key, int]:
        steps = enumerate(self.tree.steps)
        return {_key(int(self.tree.parent[node]), step): node for node, step in steps if step is not None}

    def node(self, steps: Sequence[Step]) -> int:
        """The node that `steps` lead to; `NO_NODE` where the tree has none."""
        node = ROOT
        for step in steps:
            node = self._children.get(_key(node, step), NO_NODE)
            if node == NO_NODE:
                return NO_NODE
        return node

    def proposal(self, asked: Propose) -> Proposal | None:
        """The next draws from the stack of a state; None where it does not hold what is asked.

        A step is the beginning of a solution drawn there; the rest of that is not dealt any more.
        """
        node = self.node(asked.state.steps)
        if node == NO_NODE or asked.temperature != self.record.temperature:
            return None
        first = int(self.stacks[node]) + asked.drawn
        if first + asked.width > self.stacks[node + 1]:
            return None
        dealt = [self._continuation(node, int(end)) for end in self.ends[first : first + asked.width]]
        if asked.until is Until.STEP:
            return tuple(continuation[:1] for continuation in dealt)
        return tuple(dealt) if self.is_whole[first : first + asked.width].all() else None

    def values(self, state: State) -> Values | None:
        """The scores of all prefixes of a state; None where one is not known."""
        node, scores = self.node(state.steps), self.record.scores
        if node == NO_NODE:
            return None
        values = tuple(float(scores[one]) for one in self.tree.lineage(node))
        return None if np.isnan(values).any() else values

    @cached_property
    def is_whole(self) -> NDArray[np.bool_]:
        """[D] whether each of `ends` completes a solution, or was cut off; else it is a step."""
        ended = [step is not None and step.end is not StepEnd.DELIMITER for step in self.tree.steps]
        return np.asarray(ended)[self.ends]

    def read(self, how: Aggregate) -> NDArray[np.float64]:
        """[N] the values of all nodes, read as `aggregated` reads them; NaN where a score on the way is not known."""
        read, scores = self.record.scores.copy(), self.record.scores
        depths = self.tree.depths()
        for node in range(1, len(read)):
            above = read[self.tree.parent[node]]
            if np.isnan(above):
                read[node] = above
            elif depths[node] > 1:
                match how:
                    case Aggregate.MIN:
                        read[node] = np.minimum(above, scores[node])
                    case Aggregate.PRODUCT:
                        read[node] = above * scores[node]
                    case Aggregate.MEAN:
                        read[node] = above + scores[node]
        return read / np.maximum(1, depths) if how is Aggregate.MEAN else read

    def verdicts(self, checker: Checker) -> NDArray[np.int8]:
        """[N] 1 where the checker accepts the solution that ends at a node, else 0."""
        found = np.zeros(len(self.tree.steps), np.int8)
        for node in np.flatnonzero([step is not None and step.end is StepEnd.FINAL for step in self.tree.steps]):
            found[node] = checker.check(self.tree.problem, self.tree.path(int(node)))
        return found

    def _continuation(self, prefix: int, end: int) -> Continuation:
        return self.tree.path(end)[len(self.tree.lineage(prefix)) - 1 :]


def _record_of(tree: SearchTree) -> Record:
    if tree.record is None:
        raise InputError(f"problem {tree.problem.id}: its tree has no record of draws, expected one that kept it")
    return tree.record


def tokens_to(tree: SearchTree) -> NDArray[np.int64]:
    """[N] tokens from the root to each node."""
    tokens = np.zeros(len(tree.steps), np.int64)
    for node, step in enumerate(tree.steps):
        if step is not None:
            tokens[node] = tokens[tree.parent[node]] + len(step.token_ids)
    return tokens


def keeps_its_draws(tree: SearchTree) -> bool:
    """Whether all that was drawn for a tree is in it; rollouts, and what options are made of, are not."""
    tokens, record = tokens_to(tree), tree.record
    drawn = 0 if record is None else int((tokens[record.end] - tokens[record.prefix]).sum())
    return drawn == tree.spent.tokens_generated


def _check(tree: SearchTree, record: Record) -> None:
    """Hold a record against its tree: what lies outside would be read as another's memory."""
    size = len(tree.steps)
    named = np.concatenate([record.prefix, record.end])
    if named.size and not (named.min() >= 0 and named.max() < size):
        raise InputError(
            f"problem {tree.problem.id}: a draw names a node that its tree lacks, expected 0 to {size - 1}"
        )
    for prefix, end in zip(record.prefix, record.end, strict=True):
        if end == prefix or prefix not in tree.lineage(int(end)):
            raise InputError(f"problem {tree.problem.id}: a draw at node {prefix} ends at {end}, expected it beneath")
    if not keeps_its_draws(tree):
        raise InputError(f"problem {tree.problem.id}: {NOT_KEPT.format(tree.strategy)}")


def _key(parent: int, step: Step) -> Key:
    return parent, step.token_ids, step.text, step.end
