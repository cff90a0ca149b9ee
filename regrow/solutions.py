"""What a verified tree has to teach: solutions with their verdicts, and sibling steps of which one is better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isnan

import numpy as np

from mcts.seeds import seed_of
from mcts.tree import ROOT, SearchTree
from mcts.types import Outcome, StepEnd
from regrow.selection import node_labels
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Solution:
    """A judged way from the root. Steps that say nothing are left out.

    Attributes:
        leaf: The node where it ends.
        nodes: [K] the nodes of its steps.
        texts: [K] the steps, without delimiters.
    """

    leaf: int
    nodes: tuple[int, ...]
    texts: tuple[str, ...]
    is_correct: bool


@dataclass(frozen=True, slots=True)
class StepPair:
    """Two steps from the same state, as nodes; the first is of higher value."""

    chosen: int
    rejected: int


def solutions(verified: VerifiedTree, *, per_problem: int | None, seed: int) -> tuple[list[Solution], list[Solution]]:
    """The correct solutions and the wrong ones, one of each wording (white space aside), chosen by hash.

    A solution without a readable answer is wrong. One that timed out is neither.
    """
    tree = verified.tree
    found: dict[bool, dict[str, Solution]] = {True: {}, False: {}}
    for node, outcome in sorted(verified.outcomes.items()):
        one = way(tree, node, is_correct=outcome is Outcome.CORRECT)
        if outcome is not Outcome.TIMEOUT and one.texts:
            found[one.is_correct].setdefault(_wording(one.texts), one)

    def chosen(forms: dict[str, Solution]) -> list[Solution]:
        order = sorted(forms, key=lambda form: seed_of(seed, tree.problem.id, form))
        return [forms[form] for form in order[:per_problem]]

    return chosen(found[True]), chosen(found[False])


def endings(tree: SearchTree) -> list[int]:
    """The nodes that complete a solution, one of each wording, in order of creation. No verdict is asked."""
    ways = {int(node): way(tree, int(node), is_correct=False).texts for node in tree.finals()}
    first = {_wording(texts): node for node, texts in reversed(ways.items()) if texts}
    return sorted(first.values())


def way(tree: SearchTree, node: int, *, is_correct: bool) -> Solution:
    """The way from the root to `node`."""
    leaf, nodes = node, []
    while node > ROOT:
        nodes.append(node)
        node = int(tree.parent[node])
    said = [(node, text_of(tree, node)) for node in reversed(nodes)]
    spoken = [(node, text) for node, text in said if text.strip()]
    return Solution(leaf, tuple(node for node, _ in spoken), tuple(text for _, text in spoken), is_correct)


def step_pairs(
    verified: VerifiedTree, *, labels: str, margin: float, per_problem: int | None, seed: int
) -> list[StepPair]:
    """At each state the best step and the worst by `labels`, if they are `margin` apart; chosen by hash."""
    tree = verified.tree

    def rank(pair: StepPair) -> int:
        before = way(tree, int(tree.parent[pair.chosen]), is_correct=False).texts
        return seed_of(seed, *before, text_of(tree, pair.chosen))

    return sorted(_pairs(verified, labels, margin), key=rank)[:per_problem]


def siblings(tree: SearchTree, node: int) -> list[int]:
    """The steps drawn where `node` was, itself among them, that say something; in order of creation."""
    return [int(one) for one in np.flatnonzero(tree.parent == tree.parent[node]) if text_of(tree, int(one)).strip()]


def is_good(verified: VerifiedTree, nodes: Iterable[int]) -> list[bool]:
    """Whether a correct answer was found beneath each of the labelled `nodes`."""
    return [bool(verified.labels.hard[node] == 1) for node in nodes]


def values(verified: VerifiedTree, nodes: Iterable[int], labels: str) -> list[float | None]:
    """The values of `nodes` by `labels`; None where there is none."""
    known = node_labels(verified, labels)
    return [None if isnan(known[node]) else float(known[node]) for node in nodes]


def text_of(tree: SearchTree, node: int) -> str:
    """The step that leads to a node; empty at the root."""
    step = tree.steps[node]
    return "" if step is None else step.text


def is_end(tree: SearchTree, node: int) -> bool:
    """Whether the step that leads to a node completes the solution."""
    step = tree.steps[node]
    return step is not None and step.end is StepEnd.FINAL


def _pairs(verified: VerifiedTree, labels: str, margin: float) -> Iterator[StepPair]:
    tree, known = verified.tree, node_labels(verified, labels)
    for parent in np.unique(tree.parent[1:]):
        steps = [int(node) for node in np.flatnonzero(tree.parent == parent) if text_of(tree, int(node)).strip()]
        valued = sorted((node for node in steps if not isnan(known[node])), key=lambda node: (-known[node], node))
        if len(valued) > 1 and known[valued[0]] - known[valued[-1]] >= margin:
            yield StepPair(valued[0], valued[-1])


def _wording(texts: Iterable[str]) -> str:
    return "\n".join(" ".join(text.split()) for text in texts)
