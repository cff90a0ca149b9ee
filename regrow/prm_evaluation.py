"""Held-out evaluation of a PRM: its values against the exact truth of the task, and against a policy's own success."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcts.aggregate import Aggregate, aggregated
from mcts.lane import POLL_S
from mcts.ports import StepScorer
from mcts.tree import SearchTree
from mcts.types import Outcome, Score, State, Ticket, Values
from prm.quality import PrmQuality, measure
from regrow.evaluation import texts
from regrow.tasks.task import GradedProblem, Task


def prm_quality(
    scorer: StepScorer,
    aggregate: Aggregate,
    task: Task,
    problems: Sequence[GradedProblem],
    trees: Sequence[SearchTree],
    target: str,
) -> PrmQuality | None:
    """Hold the scorer against the exact truth at every step of the solutions in `trees`; None where no truth is known.

    Args:
        problems: As many as `trees` at least, in the same order.
        target: `success` where the scorer predicts the probability of success, `progress` where it predicts v.
    """
    states: list[State] = []
    counted: list[int] = []
    truths = []
    for graded, tree in zip(problems, trees, strict=False):
        seen: set[tuple[str, ...]] = set()
        for node in tree.finals():
            steps = tree.path(int(node))
            truth = task.truth(graded, texts(steps))
            if truth is None:
                return None
            new = sum(tuple(texts(steps[:k])) in seen for k in range(1, len(steps) + 1))
            seen.update(tuple(texts(steps[:k])) for k in range(1, len(steps) + 1))
            states.append(State(tree.problem, steps))
            counted.append(new)
            truths.append(truth)
    predicted, v_star, reachable, depth = [], [], [], []
    for values, skip, truth in zip(score_all(scorer, states, aggregate), counted, truths, strict=True):
        for k in range(skip, len(truth.steps)):
            predicted.append(values[k + 1])
            v_star.append(truth.values[k])
            reachable.append(truth.reachable[k])
            depth.append(k + 1)
    return measure(np.asarray(predicted), np.asarray(v_star), np.asarray(reachable), np.asarray(depth), target=target)


def own_success_skill(
    scorer: StepScorer,
    aggregate: Aggregate,
    task: Task,
    problems: Sequence[GradedProblem],
    trees: Sequence[SearchTree],
) -> float | None:
    """The Brier skill of the scorer's values as forecasts of the drawing policy's own success from each step on.

    A solution passes through a step with the probability with which the policy goes on so: its outcome, 0 or 1, is
    an unbiased draw of the success rate there, and every step of every solution counts as often as it was drawn.

    Args:
        trees: Plain samples of the policy, problem by problem.

    Returns:
        1 - Brier score / Brier score of the mean; None where all solutions are right, or none.
    """
    states, weights, correct = [], [], []
    for graded, tree in zip(problems, trees, strict=False):
        for node in tree.finals():
            steps = tree.path(int(node))
            states.append(State(tree.problem, steps))
            weights.append(int(tree.visits[node]))
            correct.append(task.verify(graded, texts(steps)) is Outcome.CORRECT)
    forecasts = score_all(scorer, states, aggregate)
    lengths = [len(values) - 1 for values in forecasts]
    predicted = np.concatenate([values[1:] for values in forecasts])
    outcome = np.repeat(np.asarray(correct, np.float64), lengths)
    weight = np.repeat(np.asarray(weights, np.float64), lengths)
    mean = np.average(outcome, weights=weight)
    if mean in (0.0, 1.0):
        return None
    return float(1.0 - np.average((predicted - outcome) ** 2, weights=weight) / (mean * (1.0 - mean)))


def values_by_depth(scorer: StepScorer, trees: Sequence[SearchTree]) -> dict[int, list[float]]:
    """The scorer's values of every solution's prefixes, by the number of their steps."""
    pools: dict[int, list[float]] = defaultdict(list)
    states = [State(tree.problem, tree.path(int(node))) for tree in trees for node in tree.finals()]
    for values in score_all(scorer, states):
        for depth, value in enumerate(values):
            pools[depth].append(value)
    return dict(pools)


def node_values(scorer: StepScorer, aggregate: Aggregate, trees: Sequence[SearchTree]) -> list[NDArray[np.float32]]:
    """[N] for each tree: the scorer's values of the nodes on the way to a solution, NaN for all others."""
    ways = [(i, tree.lineage(int(node))) for i, tree in enumerate(trees) for node in tree.finals()]
    states = [State(trees[i].problem, trees[i].path(way[-1])) for i, way in ways]
    found = [np.full(len(tree.parent), np.nan, np.float32) for tree in trees]
    for (i, way), values in zip(ways, score_all(scorer, states, aggregate), strict=True):
        found[i][way] = values
    return found


def valued(scorer: StepScorer, aggregate: Aggregate, trees: Sequence[SearchTree]) -> list[SearchTree]:
    """The trees with the scorer's values, as `node_values` has them."""
    values = node_values(scorer, aggregate, trees)
    return [replace(tree, value=its) for tree, its in zip(trees, values, strict=True)]


def score_all(scorer: StepScorer, states: Sequence[State], aggregate: Aggregate = Aggregate.LAST) -> list[Values]:
    """The scorer's values for every prefix of each state, in order, read as `aggregate` says."""
    for i, state in enumerate(states):
        scorer.submit(Ticket("", i), Score(state))
    replies: dict[int, Values] = {}
    while len(replies) < len(states):
        replies.update((ticket.number, values) for ticket, values in scorer.poll(POLL_S))
    return [aggregated(replies[i], aggregate) for i in range(len(states))]
