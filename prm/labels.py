"""Training data of a PRM: solutions with a label at each step that has one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.tree import NO_NODE, SearchTree
from mcts.types import State

NO_LABEL = math.nan


@dataclass(frozen=True, slots=True)
class LabelledState:
    """A solution, or a beginning of one, with a label for each of its prefixes.

    Attributes:
        state: Problem and steps.
        labels: [steps + 1] in [0, 1], the bare problem first; NaN where a prefix carries no loss.
        weights: [steps + 1] how much each label counts, 0 or more; 1 each where none are given.

    Raises:
        ValueError: The number of labels or weights does not fit, or one is out of its range.
    """

    state: State
    labels: tuple[float, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * len(self.labels))
        where = f"PRM labels of problem {self.state.problem.id!r} ({self.state.problem.question!r})"
        for name, given in (("labels", self.labels), ("weights", self.weights)):
            if len(given) != len(self.state.steps) + 1:
                raise InputError(
                    f"{where}: {len(given)} {name} for {len(self.state.steps)} steps, expected one more than steps"
                )
        if outside := next((label for label in self.labels if label < 0.0 or label > 1.0), None):
            raise InputError(f"{where}: label {outside}, expected values in [0, 1]")
        if not all(0.0 <= weight < math.inf for weight in self.weights):
            raise InputError(f"{where}: weights {self.weights}, expected 0 or more")


def from_tree(
    tree: SearchTree, node_labels: NDArray[np.float32], node_weights: NDArray[np.float32] | None = None
) -> list[LabelledState]:
    """Paths of `tree` that carry every label once: on the first path, in order of leaves, that reaches its node.

    A path ends at its last new label; paths without any are left out.

    Args:
        tree: A finished search tree of N nodes.
        node_labels: [N] labels in [0, 1], NaN where a node has none.
        node_weights: [N] how much each label counts; None for 1 each.
    """
    weights = np.ones_like(node_labels) if node_weights is None else node_weights
    for given in (node_labels, weights):
        if given.shape != tree.parent.shape:
            raise InputError(
                f"PRM labels of problem {tree.problem.id!r}: shape {given.shape}, expected {tree.parent.shape}"
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
            counts = tuple(float(weights[node]) for node in path)
            states.append(LabelledState(State(tree.problem, tree.path(path[-1])), labels, counts))
            is_new[path] = False
    return states


def select(data: Iterable[LabelledState], *, per_problem: int, seed: int) -> list[LabelledState]:
    """At most `per_problem` different solutions a question, chosen by hash: the choice is the same in any order.

    Solutions with equal question and step texts become one, with the weighted mean of the labels given to each prefix.
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


def apart(data: Sequence[LabelledState], share: float) -> tuple[list[LabelledState], list[LabelledState]]:
    """The data of most problems, and that of a `share` of them: the same ones always, by a hash of the question."""
    kept: list[LabelledState] = []
    held_out: list[LabelledState] = []
    for item in data:
        is_held_out = seed_of("apart", item.state.problem.question) < share * 2**64
        (held_out if is_held_out else kept).append(item)
    return kept, held_out


def balanced(data: Sequence[LabelledState]) -> list[LabelledState]:
    """The same data with as much weight on good labels as on bad ones; the sum of all weights stays.

    A label y is a share y of a good one and 1 - y of a bad one, as cross-entropy and squared error read it. With G and
    B the weight of all good and all bad shares, a good share counts a = (G + B) / 2G times and a bad one
    b = (G + B) / 2B times: weight w becomes w (a y + b (1 - y)), label y becomes a y / (a y + b (1 - y)). Where there
    is but one kind, nothing changes.
    """
    given = [(y, w) for item in data for y, w in zip(item.labels, item.weights, strict=True) if not math.isnan(y)]
    good, bad = math.fsum(w * y for y, w in given), math.fsum(w * (1.0 - y) for y, w in given)
    if good == 0.0 or bad == 0.0:
        return list(data)
    a, b = (good + bad) / (2.0 * good), (good + bad) / (2.0 * bad)

    def counted(item: LabelledState) -> LabelledState:
        factors = [1.0 if math.isnan(y) else a * y + b * (1.0 - y) for y in item.labels]
        labels = tuple(a * y / factor for y, factor in zip(item.labels, factors, strict=True))
        weights = tuple(w * factor for w, factor in zip(item.weights, factors, strict=True))
        return replace(item, labels=labels, weights=weights)

    return [counted(item) for item in data]


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
    """One solution whose labels are the weighted means of those given, and whose weights are the means of theirs."""
    labels, weights = [], []
    for k in range(len(twins[0].labels)):
        given = [(twin.labels[k], twin.weights[k]) for twin in twins if not math.isnan(twin.labels[k])]
        total = math.fsum(w for _, w in given)
        labels.append(math.fsum(w * y for y, w in given) / total if total else NO_LABEL)
        weights.append(total / len(given) if given else 1.0)
    return LabelledState(twins[0].state, tuple(labels), tuple(weights))
