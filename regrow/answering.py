"""Answering questions: the strategy, the budget and the engines that a configuration names, behind one searcher."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol, Self

from mcts.errors import InputError
from mcts.tree import SearchTree
from mcts.types import Problem
from regrow import base
from regrow.answer import Answer
from regrow.build import budget_of, check_choices, checker_of, dist_of, policy_of, scorer_of, strategy_of
from regrow.config import RECORDED, WITHOUT_WEIGHTS, Config
from regrow.dist.settings import NONE
from regrow.models import Models
from regrow.panel import panel_of
from regrow.provenance import digest
from regrow.searcher import Pending, Searcher
from regrow.tasks.task import Task

OUTPUTS = ("text", "json", "parquet")
LOOK_S = 0.25
"""How often somebody who watches is shown how searches stand."""


class Watcher(Protocol):
    """Shown, now and then, what is under way."""

    def __call__(self, answered: int, waiting: Sequence[Pending]) -> None:
        """Take a look: so many have their answers, and these, in the order of their questions, are searched or wait."""


def nobody(answered: int, waiting: Sequence[Pending]) -> None:
    """Nobody watches."""


class Answering:
    """A strategy, a budget and a searcher for the questions of a task; nothing is learned, no gold answer is read.

    Raises:
        InputError: A setting that cannot be, or a model that is not there.
    """

    def __init__(self, config: Config, task: Task) -> None:
        self.task = task
        self.strategy = strategy_of(config.search, config, self.task)
        self._budget = budget_of(config.budget, "budget", stop_when_solved=True)
        self._seed = config.seed
        self._ahead = 2 * config.scheduler.trees_at_once
        check_choices(config, outputs=OUTPUTS)
        if (kind := dist_of(config).kind) != NONE:
            raise InputError(f"config dist={kind}: is for train, evaluate, imagine and generate, expected dist=none")
        models = models_of(config, self.task)
        assert models.prm is not None
        self.policy = policy_of(config, models.policy)
        self.searcher = Searcher(
            self.policy,
            scorer_of(config, models.prm),
            panel=panel_of(config, models, self.strategy),
            checker=checker_of(config, self.task),
            limits=config.scheduler,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.searcher.close()

    def submit(self, problem: Problem) -> Pending:
        """Search a problem. The same question with the same id is searched in the same way each time."""
        return self.searcher.submit(self.strategy.query(problem, self._budget, self._seed, "ask"))

    def answer(self, tree: SearchTree) -> Answer:
        """What a tree answers, finished or not."""
        return Answer.of(self.strategy, self.task, tree)

    def answers(
        self, problems: Iterable[Problem], waiting: deque[Pending], watcher: Watcher = nobody
    ) -> Iterator[Answer]:
        """Search all problems together; yield their answers in the order of the problems, each as soon as it can be.

        Args:
            waiting: Empty; holds what was submitted and has not been yielded.
        """
        rest, answered = iter(problems), 0
        while True:
            waiting.extend(map(self.submit, islice(rest, self._ahead - len(waiting))))
            if not waiting:
                return
            while not waiting[0].wait(LOOK_S):
                watcher(answered, waiting)
            answered += 1
            yield self.answer(waiting.popleft().result())
            watcher(answered, waiting)


def models_of(config: Config, task: Task) -> Models:
    """The models that answer: those named, else the task's own, fitted on first use.

    Raises:
        InputError: One is not there, or recorded solutions are no policy for it.
    """
    if config.policy.engine == RECORDED:
        raise InputError("policy=recorded: is for regrow evaluate, expected another policy")
    policy = Path(config.policy.path) if config.policy.path else None
    if policy is None and config.policy.engine not in WITHOUT_WEIGHTS:
        policy = base.base_policy(config, task)
    prm = Path(config.prm.path) if config.prm.path else base.prm_zero(config, task, policy)
    return Models(policy, prm, **base.critics(config, task, policy))


def problem_of(task: Task, question: str, where: str = "question") -> Problem:
    """A question as a problem, known by a digest of the question.

    Raises:
        InputError: It is no question of the task.
    """
    try:
        parsed = task.parse(question)
    except ValueError as error:
        raise InputError(f"{where} {question!r}: {error}") from error
    return Problem(f"{task.name}-{digest(parsed)[:12]}", parsed)
