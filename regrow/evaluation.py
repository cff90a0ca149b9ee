"""Held-out evaluation of a policy, alone and in a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mcts.budget import Budget
from mcts.panel import Panel
from mcts.ports import Checker, Policy, StepScorer
from mcts.search import BestOfN
from mcts.tree import NO_NODE, ROOT, SearchTree
from mcts.types import Outcome, Step
from mcts.walk import Query
from regrow.config import Config
from regrow.engines import Engines
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.report import EvalRow, eval_row
from regrow.strategy import Strategy
from regrow.tasks.task import GradedProblem, Task

GREEDY = Strategy(BestOfN(width=1, temperature=0.0, name="greedy"))


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
        strategy: Measured as `search`, against best-of-N at the same `budget`.
        samples: Solutions drawn per problem for `sample`.
        checker: Whose verdicts the searches may use.
        panel: Who else the searches may ask.
        config: For `regrow.grow.grow`.
    """

    task: Task
    problems: Sequence[GradedProblem]
    drawn: int
    strategy: Strategy
    budget: Budget
    samples: int
    checker: Checker | None
    panel: Lazy[Panel]
    config: Config
    seed: int

    def plain(self, policy: Lazy[Policy], scratch: Path, label: str) -> Evaluation:
        """Greedy decoding and the mean of some samples: how good the policy is on its own.

        Args:
            scratch: Working folder that survives a crash.
            label: What is evaluated, for seeds and progress.
        """
        once, sample = Budget(simulations=1), Strategy(BestOfN(width=self.samples, name="sample"))
        few = self.problems[: self.drawn]
        queries = [*self._queries(GREEDY, once, self.problems, label), *self._queries(sample, once, few, label)]
        trees = self._grow(queries, Engines(policy), scratch / "plain", f"{label}, sampling")
        result = Evaluation(samples=trees[len(self.problems) :])
        greedy = [answered(self.task, GREEDY, *pair) for pair in zip(self.problems, trees, strict=False)]
        self._add(result, "greedy", "none", trees[: len(self.problems)], greedy)
        shares = [share_correct(self.task, *pair) for pair in zip(few, result.samples, strict=True)]
        self._add(result, "sample", "mean", result.samples, shares)
        return result

    def contest(
        self, policy: Lazy[Policy], scorers: Mapping[str, Lazy[StepScorer]], scratch: Path, label: str
    ) -> Evaluation:
        """The search with each of the `scorers`, named as their rows, and best-of-N with the first, at equal tokens."""
        few, result = self.problems[: self.drawn], Evaluation()
        search = self.strategy.search
        best_of_n = search if isinstance(search, BestOfN) else BestOfN(temperature=search.temperature)
        contestants = [(name, self.strategy, scorer) for name, scorer in scorers.items()]
        contestants.insert(1, ("best_of_n", replace(self.strategy, search=best_of_n), next(iter(scorers.values()))))
        selected_by = "checker" if self.checker else self.strategy.choice.value
        for name, strategy, scorer in contestants:
            queries = self._queries(strategy, self.budget, few, label)
            engines = Engines(policy, scorer, self.panel, self.checker)
            trees = self._grow(queries, engines, scratch / name, f"{label}, {name}")
            scores = [answered(self.task, strategy, *pair) for pair in zip(few, trees, strict=True)]
            self._add(result, name, selected_by, trees, scores)
        return result

    def _add(
        self, result: Evaluation, name: str, selected_by: str, trees: Sequence[SearchTree], scores: list[float]
    ) -> None:
        tokens = float(np.mean([tree.spent.tokens_generated for tree in trees]))
        result.scores[name] = scores
        result.rows[name] = eval_row(trees[0].strategy, selected_by, tokens, scores)

    def _queries(
        self, strategy: Strategy, budget: Budget, problems: Sequence[GradedProblem], label: str
    ) -> list[Query]:
        return [strategy.query(graded.problem, budget, self.seed, label) for graded in problems]

    def _grow(self, queries: Sequence[Query], engines: Engines, scratch: Path, what: str) -> list[SearchTree]:
        scratch.mkdir(parents=True, exist_ok=True)
        return grow(queries, engines, self.config, scratch=scratch, what=what).trees


def answered(task: Task, strategy: Strategy, graded: GradedProblem, tree: SearchTree) -> float:
    """1 if the strategy's answer is correct, else 0."""
    node = strategy.chosen(task, tree)
    return float(node != NO_NODE and is_correct(task, graded, tree, node))


def share_correct(task: Task, graded: GradedProblem, tree: SearchTree) -> float:
    """The share of the solutions drawn that are correct."""
    correct = sum(int(tree.visits[node]) for node in tree.finals() if is_correct(task, graded, tree, int(node)))
    return correct / max(1, int(tree.visits[ROOT]))


def is_correct(task: Task, graded: GradedProblem, tree: SearchTree, node: int) -> bool:
    """Whether the solution that ends at `node` is."""
    return task.verify(graded, texts(tree.path(node))) is Outcome.CORRECT


def texts(steps: Iterable[Step]) -> list[str]:
    """The texts of `steps`."""
    return [step.text for step in steps]
