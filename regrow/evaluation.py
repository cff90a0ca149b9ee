"""Held-out evaluation: strategies at equal budget, and the scorer against the exact truth of the task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Budget, Query
from mcts.search import BestOfN, Search
from mcts.seeds import seed_of
from mcts.tree import NO_NODE, SearchTree
from mcts.types import Outcome, Score, State, Step, Ticket, Values
from prm.quality import PrmQuality, measure
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

    rows: dict[str, EvalRow]
    scores: dict[str, list[float]]
    samples: list[SearchTree]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Measures policies and scorers on the same held-out problems.

    Attributes:
        samples: Solutions drawn per problem for `sample`.
        search: The strategy measured as `search`, against best-of-N at the same `budget`.
        checker: Whose verdict selects answers; None selects by the scorer.
    """

    task: Task
    problems: Sequence[GradedProblem]
    search: Search
    budget: Budget
    samples: int
    checker: Checker | None
    limits: SchedulerConfig
    seed: int

    def evaluate(self, policy: Policy, scorer: StepScorer, scratch: Path, label: str) -> Evaluation:
        """Run every strategy and verify its answers.

        Args:
            scratch: Working folder that survives a crash.
            label: What is evaluated, for seeds and progress.
        """
        once = Budget(simulations=1)
        sample = BestOfN(width=self.samples, name="sample")
        plain = self._grow({GREEDY: once, sample: once}, policy, None, None, scratch / "plain", f"{label}, sampling")
        is_best_of_n = isinstance(self.search, BestOfN)
        best_of_n = self.search if is_best_of_n else BestOfN(temperature=self.search.temperature)
        contest = {self.search: self.budget, best_of_n: self.budget}
        searched = self._grow(contest, policy, scorer, self.checker, scratch / "search", f"{label}, searching")
        selected_by = "checker" if self.checker else "prm"
        rows, scores = {}, {}
        for name, trees, how in (
            ("greedy", plain[GREEDY.name], "none"),
            ("sample", plain[sample.name], "mean"),
            ("search", searched[self.search.name], selected_by),
            ("best_of_n", searched[best_of_n.name], selected_by),
        ):
            scores[name] = [
                self._share_correct(graded, tree, all_finals=how == "mean")
                for graded, tree in zip(self.problems, trees, strict=True)
            ]
            tokens = [tree.spent.tokens_generated for tree in trees]
            strategy = trees[0].strategy if trees else name
            rows[name] = eval_row(strategy, how, float(np.mean(tokens)), scores[name])
        return Evaluation(rows, scores, plain[sample.name])

    def _grow(
        self,
        strategies: Mapping[Search, Budget],
        policy: Policy,
        scorer: StepScorer | None,
        checker: Checker | None,
        scratch: Path,
        what: str,
    ) -> dict[str, list[SearchTree]]:
        scratch.mkdir(parents=True, exist_ok=True)
        queries = [
            Query(graded.problem, search, budget, seed_of(self.seed, what, graded.problem.id, search.name))
            for search, budget in strategies.items()
            for graded in self.problems
        ]
        trees = grow(queries, policy, scorer, self.limits, checker=checker, scratch=scratch, what=what)
        return {search.name: [tree for tree in trees if tree.strategy == search.name] for search in strategies}

    def _share_correct(self, graded: GradedProblem, tree: SearchTree, *, all_finals: bool) -> float:
        """Whether the chosen answer is correct; with `all_finals`, the share of all drawn solutions that are."""
        if not all_finals:
            return float(tree.answer != NO_NODE and self._is_correct(graded, tree, tree.answer))
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
        target: `success` where the scorer predicts the probability of success, `progress` where it predicts v.
    """
    states: list[State] = []
    counted: list[int] = []
    truths = []
    for graded, tree in zip(problems, trees, strict=True):
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


def score_all(scorer: StepScorer, states: Sequence[State]) -> list[Values]:
    """The scorer's values for every prefix of each state, in order."""
    for i, state in enumerate(states):
        scorer.submit(Ticket("", i), Score(state))
    replies: dict[int, Values] = {}
    while len(replies) < len(states):
        replies.update((ticket.number, values) for ticket, values in scorer.poll(math.inf))
    return [replies[i] for i in range(len(states))]
