"""What a verified tree has to teach: solutions with their verdicts, and sibling steps of which one is better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isnan

import numpy as np

from mcts.seeds import seed_of
from mcts.tree import ROOT, SearchTree
from mcts.types import Outcome, StepEnd
from regrow.export.recipe import Recipe
from regrow.selection import node_labels
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Solution:
    """A judged way from the root. Steps that say nothing are left out.

    Attributes:
        nodes: [K] the nodes of its steps.
        texts: [K] the steps, without delimiters.
    """

    nodes: tuple[int, ...]
    texts: tuple[str, ...]
    is_correct: bool


@dataclass(frozen=True, slots=True)
class StepPair:
    """Two steps from the same state, the first of higher value.

    Attributes:
        before: The steps so far.
        ends: Whether each of the two completes the solution.
    """

    before: tuple[str, ...]
    chosen: str
    rejected: str
    ends: tuple[bool, bool]


def solutions(verified: VerifiedTree, recipe: Recipe) -> tuple[list[Solution], list[Solution]]:
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
        order = sorted(forms, key=lambda form: seed_of(recipe.seed, tree.problem.id, form))
        return [forms[form] for form in order[: recipe.per_problem]]

    return chosen(found[True]), chosen(found[False])


def way(tree: SearchTree, node: int, *, is_correct: bool) -> Solution:
    """The way from the root to `node`."""
    nodes = []
    while node > ROOT:
        nodes.append(node)
        node = int(tree.parent[node])
    said = [(node, text_of(tree, node)) for node in reversed(nodes)]
    spoken = [(node, text) for node, text in said if text.strip()]
    return Solution(tuple(node for node, _ in spoken), tuple(text for _, text in spoken), is_correct)


def step_pairs(verified: VerifiedTree, recipe: Recipe) -> list[StepPair]:
    """At each state the best step and the worst, if they are `margin` apart; chosen by hash."""
    pairs = sorted(_pairs(verified, recipe), key=lambda one: seed_of(recipe.seed, *one.before, one.chosen))
    return pairs[: recipe.per_problem]


def siblings(tree: SearchTree, node: int) -> list[int]:
    """The steps drawn where `node` was, itself among them, that say something; in order of creation."""
    return [int(one) for one in np.flatnonzero(tree.parent == tree.parent[node]) if text_of(tree, int(one)).strip()]


def is_good(verified: VerifiedTree, nodes: Iterable[int]) -> list[bool]:
    """Whether a correct answer was found beneath each of the labelled `nodes`."""
    return [bool(verified.labels.hard[node] == 1) for node in nodes]


def values(verified: VerifiedTree, nodes: Iterable[int], recipe: Recipe) -> list[float | None]:
    """The values of `nodes` by the recipe's labels; None where there is none."""
    labels = node_labels(verified, recipe.labels)
    return [None if isnan(labels[node]) else float(labels[node]) for node in nodes]


def text_of(tree: SearchTree, node: int) -> str:
    """The step that leads to a node; empty at the root."""
    step = tree.steps[node]
    return "" if step is None else step.text


def _pairs(verified: VerifiedTree, recipe: Recipe) -> Iterator[StepPair]:
    tree, labels = verified.tree, node_labels(verified, recipe.labels)
    for parent in np.unique(tree.parent[1:]):
        steps = [int(node) for node in np.flatnonzero(tree.parent == parent) if text_of(tree, int(node)).strip()]
        valued = sorted((node for node in steps if not isnan(labels[node])), key=lambda node: (-labels[node], node))
        if len(valued) < 2 or labels[valued[0]] - labels[valued[-1]] < recipe.margin:
            continue
        best, worst = valued[0], valued[-1]
        yield StepPair(
            way(tree, int(parent), is_correct=False).texts,
            text_of(tree, best),
            text_of(tree, worst),
            (_is_end(tree, best), _is_end(tree, worst)),
        )


def _is_end(tree: SearchTree, node: int) -> bool:
    step = tree.steps[node]
    return step is not None and step.end is StepEnd.FINAL


def _wording(texts: Iterable[str]) -> str:
    return "\n".join(" ".join(text.split()) for text in texts)
