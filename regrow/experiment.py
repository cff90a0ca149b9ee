"""What every stage of a run shares: the task, the settings in their own types, and which problems are for what."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mcts.errors import InputError
from mcts.seeds import seed_of
from policy.train import TrainPolicy
from prm.train import TrainPrm
from regrow import provenance
from regrow.alarms import Alarms
from regrow.build import budget_of, check_choices, checker_of, columns_of, fields_of, objective_of, strategy_of, task_of
from regrow.config import Config, settings_of
from regrow.gate import LEAST, Gate
from regrow.imagine.imagination import Imagination
from regrow.manifest import Run
from regrow.prm_training import peers_of
from regrow.pseudo_labels import PseudoLabels
from regrow.tasks.problems import read_problems
from regrow.tasks.task import GradedProblem, Split, Task

EVALUATE = "evaluate"
_GATE_SEED = 1
"""Another order of the validation problems than that of `evaluate.split=validation`."""


class Experiment:
    """A configuration made concrete, in a run directory.

    Attributes:
        held_out: The problems that everything is measured on: never searched for training.
        validation: The problems that gates compare models on: neither of these, nor searched. None where nothing is
            gated.

    Raises:
        InputError: A setting that cannot be; before anything is done.
    """

    def __init__(self, config: Config, run: Run) -> None:
        self.config = config
        self.run = run
        self.task = task_of(config)
        self.round_budget = budget_of(config.round.budget, "round.budget")
        self.evaluate_budget = budget_of(config.evaluate.budget, "evaluate.budget")
        self.policy_settings = settings_of(TrainPolicy, fields_of(config.policy.train), "policy.train")
        self.gate = settings_of(Gate, fields_of(config.gate), "gate")
        self.alarms = settings_of(Alarms, fields_of(config.alarms), "alarms")
        self.imagination = settings_of(Imagination, fields_of(config.imagine), "imagine")
        self.objective = objective_of(config)
        self.pseudo_labels = settings_of(PseudoLabels, fields_of(config.pseudo_labels), "pseudo_labels")
        self.prm_settings = settings_of(TrainPrm, fields_of(config.prm.train), "prm.train")
        check_choices(config)
        peers_of(config.prm)
        self.strategy = strategy_of(config.search, config, self.task)
        self.checker = checker_of(config, self.task)
        self._given = read_problems(config.problems, self.task, columns_of(config)) if config.problems else None
        self.held_out = held_out_of(config, self.task, run.manifest.command, self._given)
        self.validation = [] if run.manifest.command == EVALUATE or self.gate.is_open else self._validation()

    def fresh(self, number: int) -> list[GradedProblem]:
        """The training problems of round `number`: of the task's own, none that an earlier round had.

        Of given problems those that gates compare models on are left out. Problems that are to be learned from without
        their gold answer come without it.

        Raises:
            InputError: A problem is held out, or there are not enough.
        """
        if self._given is None:
            seed, count = seed_of(self.config.seed, "problems"), self.config.round.problems
            try:
                problems = self.task.problems(Split.TRAIN, number * count, seed)[(number - 1) * count :]
            except ValueError as error:
                raise InputError(f"round.problems={count}: not enough for round {number} ({error})") from error
        else:
            apart = {graded.problem.question for graded in self.validation}
            problems = [graded for graded in self._given if graded.problem.question not in apart]
        held_out = {graded.problem.question for graded in self.held_out}
        for graded in problems:
            if graded.problem.question in held_out:
                raise InputError(f"problem {graded.problem.id} is held out for evaluation, expected training problems")
        return [self._without_gold(graded) for graded in problems]

    def _without_gold(self, graded: GradedProblem) -> GradedProblem:
        is_covered = self.pseudo_labels.covers(graded.problem, self.config.seed)
        return dataclasses.replace(graded, answer="") if is_covered else graded

    def _validation(self) -> list[GradedProblem]:
        count = self.gate.problems
        try:
            problems = self.task.problems(Split.VALIDATION, count, seed=_GATE_SEED)
        except ValueError as error:
            raise InputError(f"gate.problems={count}: {error}; or gate.policy=false gate.prm=false") from error
        held_out = {graded.problem.question for graded in self.held_out}
        apart = [graded for graded in problems if graded.problem.question not in held_out]
        if len(apart) < LEAST:
            raise InputError(
                f"gate.problems={count}: all but {len(apart)} are held out for evaluation, expected {LEAST} or more of "
                "their own, or gate.policy=false gate.prm=false"
            )
        return apart


def held_out_of(
    config: Config, task: Task, command: str, given: list[GradedProblem] | None = None
) -> list[GradedProblem]:
    """The problems that a run of `command` measures on: those it was `given` to evaluate, or the task's own.

    Raises:
        InputError: The task has not so many.
    """
    evaluate = config.evaluate
    if command == EVALUATE and given is not None:
        return given
    try:
        return task.problems(Split(evaluate.split), evaluate.problems, seed=0)
    except ValueError as error:
        raise InputError(f"evaluate.problems={evaluate.problems}: {error}") from error


def digest_of(problems: Sequence[GradedProblem]) -> str:
    """Stands for the problems among the inputs of a stage."""
    return provenance.digest([dataclasses.asdict(graded) for graded in problems])
