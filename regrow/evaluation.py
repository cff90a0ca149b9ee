"""Held-out evaluation: strategies at equal budget, and the scorer against the exact truth of the task."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Budget, Query
from mcts.search import BestOfN, Search
from mcts.seeds import seed_of
from mcts.tree import NO_NODE, SearchTree
from mcts.types import Outcome, Score, State, Step, Ticket, Values
from prm.quality import PrmQuality, measure
from regrow.build import chosen_by
from regrow.config import SchedulerConfig
from regrow.grow import grow
from regrow.report import EvalRow, eval_row
from regrow.tasks.task import GradedProblem, Task

GREEDY = BestOfN(width=1, temperature=0.0, name="greedy")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of one policy and one scorer.

    Attributes:
        rows: Strategy -> accuracy, interval, cost.
        scores: Strategy -> [problems] share of correct answers per problem, for paired tests.
        samples: The trees of the `sample` strategy.
    """

    rows: dict[str, EvalRow] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    samples: list[SearchTree] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Measures policies and scorers on the same held-out problems.

    Attributes:
        problems: What greedy decoding is measured on.
        drawn: How many of them, from the first, everything that draws samples is measured on.
        samples: Solutions drawn per problem for `sample`.
        search: The strategy measured as `search`, against best-of-N at the same `budget`.
        checker: Whose verdicts the searches may use.
        selected_by: What chooses among a search's solutions, as `regrow.build.selection_of` names it.
    """

    task: Task
    problems: Sequence[GradedProblem]
    drawn: int
    search: Search
    budget: Budget
    samples: int
    checker: Checker | None
    selected_by: str
    limits: SchedulerConfig
    seed: int

    def plain(self, policy: Policy, scratch: Path, label: str) -> Evaluation:
        """Greedy decoding and the mean of some samples: how good the policy is on its own.

        Args:
            scratch: Working folder that survives a crash.
            label: What is evaluated, for seeds and progress.
        """
        once, sample = Budget(simulations=1), BestOfN(width=self.samples, name="sample")
        few = self.problems[: self.drawn]
        queries = [*self._queries(GREEDY, once, self.problems, label), *self._queries(sample, once, few, label)]
        trees = self._grow(queries, policy, None, None, scratch / "plain", f"{label}, sampling")
        result = Evaluation(samples=trees[len(self.problems) :])
        self._add(result, "greedy", "none", self.problems, trees[: len(self.problems)])
        self._add(result, "sample", "mean", few, result.samples)
        return result

    def contest(self, policy: Policy, scorers: Mapping[str, StepScorer], scratch: Path, label: str) -> Evaluation:
        """The search with each of the `scorers`, named as their rows, and best-of-N with the first, at equal tokens."""
        few, result = self.problems[: self.drawn], Evaluation()
        is_best_of_n = isinstance(self.search, BestOfN)
        best_of_n = self.search if is_best_of_n else BestOfN(temperature=self.search.temperature)
        contestants = [(name, self.search, scorer) for name, scorer in scorers.items()]
        contestants.insert(1, ("best_of_n", best_of_n, next(iter(scorers.values()))))
        for name, search, scorer in contestants:
            queries = self._queries(search, self.budget, few, label)
            trees = self._grow(queries, policy, scorer, self.checker, scratch / name, f"{label}, {name}")
            self._add(result, name, self.selected_by, few, trees)
        return result

    def _add(
        self,
        result: Evaluation,
        name: str,
        selected_by: str,
        problems: Sequence[GradedProblem],
        trees: Sequence[SearchTree],
    ) -> None:
        scores = [self._share_correct(graded, tree, selected_by) for graded, tree in zip(problems, trees, strict=True)]
        tokens = float(np.mean([tree.spent.tokens_generated for tree in trees]))
        result.scores[name] = scores
        result.rows[name] = eval_row(trees[0].strategy, selected_by, tokens, scores)

    def _queries(self, search: Search, budget: Budget, problems: Sequence[GradedProblem], label: str) -> list[Query]:
        return [
            Query(graded.problem, search, budget, seed_of(self.seed, label, graded.problem.id, search.name))
            for graded in problems
        ]

    def _grow(
        self,
        queries: Sequence[Query],
        policy: Policy,
        scorer: StepScorer | None,
        checker: Checker | None,
        scratch: Path,
        what: str,
    ) -> list[SearchTree]:
        scratch.mkdir(parents=True, exist_ok=True)
        return grow(queries, policy, scorer, self.limits, checker=checker, scratch=scratch, what=what)

    def _share_correct(self, graded: GradedProblem, tree: SearchTree, selected_by: str) -> float:
        """Whether the chosen answer is correct; by `mean`, the share of all drawn solutions that are."""
        if selected_by != "mean":
            node = chosen_by(selected_by, self.task, tree)
            return float(node != NO_NODE and self._is_correct(graded, tree, node))
        correct = sum(int(tree.visits[node]) for node in tree.finals() if self._is_correct(graded, tree, int(node)))
        return correct / self.samples

    def _is_correct(self, graded: GradedProblem, tree: SearchTree, node: int) -> bool:
        return self.task.verify(graded, texts(tree.path(node))) is Outcome.CORRECT


def texts(steps: Iterable[Step]) -> list[str]:
    """The texts of `steps`."""
    return [step.text for step in steps]


def prm_quality(
    scorer: StepScorer, task: Task, problems: Sequence[GradedProblem], trees: Sequence[SearchTree], target: str
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
    for values, skip, truth in zip(score_all(scorer, states), counted, truths, strict=True):
        for k in range(skip, len(truth.steps)):
            predicted.append(values[k + 1])
            v_star.append(truth.values[k])
            reachable.append(truth.reachable[k])
            depth.append(k + 1)
    return measure(np.asarray(predicted), np.asarray(v_star), np.asarray(reachable), np.asarray(depth), target=target)


def own_success_skill(
    scorer: StepScorer, task: Task, problems: Sequence[GradedProblem], trees: Sequence[SearchTree]
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
    forecasts = score_all(scorer, states)
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


def score_all(scorer: StepScorer, states: Sequence[State]) -> list[Values]:
    """The scorer's values for every prefix of each state, in order."""
    for i, state in enumerate(states):
        scorer.submit(Ticket("", i), Score(state))
    replies: dict[int, Values] = {}
    while len(replies) < len(states):
        replies.update((ticket.number, values) for ticket, values in scorer.poll(math.inf))
    return [replies[i] for i in range(len(states))]
