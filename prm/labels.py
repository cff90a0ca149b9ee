"""Training data of a PRM: solutions with a label at each step that has one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError
from mcts.tree import NO_NODE, SearchTree
from mcts.types import State

NO_LABEL = math.nan


@dataclass(frozen=True, slots=True)
class LabelledState:
    """A solution, or a beginning of one, with a label for each of its prefixes.

    Attributes:
        state: Problem and steps.
        labels: [steps + 1] in [0, 1], the bare problem first; NaN where a prefix carries no loss.

    Raises:
        ValueError: The number of labels does not fit, or a label is outside [0, 1].
    """

    state: State
    labels: tuple[float, ...]

    def __post_init__(self) -> None:
        where = f"PRM labels of problem {self.state.problem.id!r} ({self.state.problem.question!r})"
        if len(self.labels) != len(self.state.steps) + 1:
            raise InputError(
                f"{where}: {len(self.labels)} labels for {len(self.state.steps)} steps, expected one more than steps"
            )
        if outside := next((label for label in self.labels if label < 0.0 or label > 1.0), None):
            raise InputError(f"{where}: label {outside}, expected values in [0, 1]")


def from_tree(tree: SearchTree, node_labels: NDArray[np.float32]) -> list[LabelledState]:
    """Paths of `tree` that carry every label once: on the first path, in order of leaves, that reaches its node.

    A path ends at its last new label; paths without any are left out.

    Args:
        tree: A finished search tree of N nodes.
        node_labels: [N] labels in [0, 1], NaN where a node has none.
    """
    if node_labels.shape != tree.parent.shape:
        raise InputError(
            f"PRM labels of problem {tree.problem.id!r}: shape {node_labels.shape}, expected {tree.parent.shape}"
        )
    is_new = ~np.isnan(node_labels)
    is_leaf = np.ones(len(tree.parent), np.bool_)
    is_leaf[tree.parent[1:]] = False
    states: list[LabelledState] = []
    for leaf in np.flatnonzero(is_leaf):
        path = _lineage(tree, int(leaf))
        while path and not is_new[path[-1]]:
            path.pop()
        if path:
            labels = tuple(float(node_labels[node]) if is_new[node] else NO_LABEL for node in path)
            states.append(LabelledState(State(tree.problem, tree.path(path[-1])), labels))
            is_new[path] = False
    return states


def select(data: Iterable[LabelledState], *, per_problem: int, seed: int) -> list[LabelledState]:
    """At most `per_problem` different solutions a question, chosen by hash: the choice is the same in any order.

    Solutions with equal question and step texts become one, with the mean of the labels given to each prefix.
    """
    twins: dict[tuple[str, ...], list[LabelledState]] = defaultdict(list)
    for item in data:
        twins[_texts(item)].append(item)
    by_question: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for texts in twins:
        by_question[texts[0]].append(texts)
    chosen = {
        texts
        for candidates in by_question.values()
        for texts in sorted(candidates, key=lambda texts: _rank(seed, texts))[:per_problem]
    }
    return [_merged(group) for texts, group in twins.items() if texts in chosen]


def _lineage(tree: SearchTree, node: int) -> list[int]:
    """The nodes from the root to `node`."""
    path = []
    while node != NO_NODE:
        path.append(node)
        node = int(tree.parent[node])
    return path[::-1]


def _texts(item: LabelledState) -> tuple[str, ...]:
    """Question, step texts, and how the last step ended: what the model reads."""
    steps = item.state.steps
    return (item.state.problem.question, *(step.text for step in steps), steps[-1].end if steps else "")


def _rank(seed: int, texts: tuple[str, ...]) -> bytes:
    return blake2b("\x1f".join((str(seed), *texts)).encode(), digest_size=8).digest()


def _merged(twins: list[LabelledState]) -> LabelledState:
    """One solution whose labels are the means of those given."""
    labels = []
    for given in zip(*(twin.labels for twin in twins), strict=True):
        known = [label for label in given if not math.isnan(label)]
        labels.append(math.fsum(known) / len(known) if known else NO_LABEL)
    return LabelledState(twins[0].state, tuple(labels))
