"""What a generation is to do: the configuration made concrete, its engines started once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from mcts.budget import Budget
from mcts.errors import InputError
from mcts.search import BestOfN
from mcts.types import Problem
from mcts.walk import Query
from policy.prompts import PromptFormat
from regrow import base
from regrow.build import (
    budget_of,
    check_choices,
    checker_of,
    columns_of,
    fields_of,
    policy_of,
    prompt_of,
    scorer_of,
    strategy_of,
    task_of,
)
from regrow.config import WITHOUT_WEIGHTS, Config, settings_of
from regrow.engines import Engines
from regrow.generate.selection import Selection
from regrow.lazy import Lazy
from regrow.models import Models
from regrow.panel import panel_of
from regrow.strategy import Strategy
from regrow.tasks.problems import Columns, iter_problems
from regrow.tasks.task import GradedProblem, Split, Task


class Plan:
    """Read by everything that generates.

    Args:
        models: Those that the configuration stands for, where they are known already.

    Raises:
        InputError: A setting that cannot be; before anything is done.
    """

    def __init__(self, config: Config, models: Models | None = None) -> None:
        check_choices(config)
        self._models = models
        self.config = config
        self.task: Task = task_of(config)
        self.prompt: PromptFormat = prompt_of(config)
        self.columns: Columns = columns_of(config)
        given = config.generate
        self.selection = settings_of(Selection, fields_of(given.selection), "generate.selection")
        self.problems_per_shard = given.problems_per_shard
        self.test_sets = list(given.decontaminate)
        self.ngram = given.ngram
        self.seed = config.seed
        self.strategy, self.budget = self._sampling(strategy_of(config.search, config, self.task))
        if config.problems is None and given.count is None:
            raise InputError("generate.count: expected how many of the task's own problems, or problems=FILE")
        if given.count is not None and given.count < 1:
            raise InputError(f"generate.count={given.count}: expected at least 1")

    @property
    def total(self) -> int | None:
        """How many problems there are, where that is known before they are read."""
        return self.config.generate.count

    def problems(self) -> Iterator[GradedProblem]:
        """Of `problems=`, or the task's own training problems."""
        count = self.config.generate.count
        if self.config.problems is not None:
            return islice(iter_problems(self.config.problems, self.task, self.columns), count)
        assert count is not None
        try:
            return iter(self.task.problems(Split.TRAIN, count, self.seed))
        except ValueError as error:
            raise InputError(f"generate.count={count}: {error}") from error

    def query(self, problem: Problem) -> Query:
        """The tree to grow for a problem."""
        return self.strategy.query(problem, self.budget, self.seed, "generate")

    @cached_property
    def engines(self) -> Engines:
        """Who answers; loaded where they are first asked."""
        config = self.config
        return Engines(
            Lazy(policy_of, config, self.models.policy),
            Lazy(scorer_of, config, self.models.prm) if self.models.prm else None,
            Lazy(panel_of, config, self.models, self.strategy),
            checker_of(config, self.task),
        )

    @cached_property
    def models(self) -> Models:
        """Those that are given, or else the embedded base policy, PRM 0 and its like.

        There is no policy with a server, and no PRM for independent samples, if none is given.
        """
        if self._models is not None:
            return self._models
        config, task = self.config, self.task
        policy = Path(config.policy.path) if config.policy.path else None
        if policy is None and config.policy.engine not in WITHOUT_WEIGHTS:
            policy = base.base_policy(config, task)
        prm = Path(config.prm.path) if config.prm.path else None
        if prm is None and not isinstance(self.strategy.search, BestOfN):
            prm = base.prm_zero(config, task, policy)
        return Models(policy, prm, **base.critics(config, task, policy))

    def _sampling(self, strategy: Strategy) -> tuple[Strategy, Budget]:
        """So many simulations a problem; independent samples are drawn in one request, which engines do best."""
        count = self.config.generate.samples_per_problem
        search = strategy.search
        if isinstance(search, BestOfN):
            wide = dataclasses.replace(search, width=count)
            strategy, count = dataclasses.replace(strategy, search=wide), 1
        limits = dataclasses.replace(self.config.generate.budget, simulations=count)
        return strategy, budget_of(limits, "generate.budget")
