"""From configuration to the objects it describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Budget
from mcts.search import Search
from mcts.tree import SearchTree
from mcts.types import Problem, Step
from mcts.vote import vote
from prm.model import HEADS
from prm.scorer import AGGREGATES
from regrow.config import CONTROLS, LABELS, SEARCHES, BudgetConfig, Config, settings_of
from regrow.tasks import make_task
from regrow.tasks.task import Split, Task


class TaskChecker:
    """A task's own test of a solution, as the search core sees it: problem and steps, no gold answer."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        """Whether the task accepts the solution."""
        return self._task.check(problem, [step.text for step in steps])


def task_of(config: Config) -> Task:
    """The task. Raises `InputError` for an unknown name or option."""
    try:
        return make_task(config.task.name, **config.task.options)
    except (TypeError, ValueError) as error:
        raise InputError(f"config task: {error}") from error


def selection_of(config: Config, task: Task) -> str:
    """What chooses among a search's solutions: `checker`, `vote` or `prm`.

    Raises:
        InputError: An unknown word, or a checker is asked for and the task has none.
    """
    match config.evaluate.selected_by:
        case "checker" if not task.is_checkable:
            raise InputError(f"config evaluate.selected_by=checker: {task.name} has no checker, expected vote or prm")
        case "auto":
            return "checker" if task.is_checkable else "vote"
        case "checker" | "vote" | "prm" as chosen:
            return chosen
        case other:
            raise InputError(f"config evaluate.selected_by={other}: expected auto, checker, vote or prm")


def checker_of(config: Config, task: Task) -> Checker | None:
    """The checker whose verdicts a search may use, None in the hidden world."""
    return TaskChecker(task) if selection_of(config, task) == "checker" else None


def chosen_by(selection: str, task: Task, tree: SearchTree) -> int:
    """The node of a tree's answer: the search's own choice, or a vote among its solutions."""
    if selection != "vote":
        return tree.answer
    finals = map(int, tree.finals())
    return vote(tree, {node: task.answer([step.text for step in tree.path(node)]) for node in finals})


def check_choices(config: Config) -> None:
    """Hold settings that are one of a few words, or counts, against what there is."""
    choices = {
        "prm.labels": (config.prm.labels, LABELS),
        "prm.head": (config.prm.head, HEADS),
        "prm.aggregate": (config.prm.aggregate, AGGREGATES),
        "evaluate.split": (config.evaluate.split, tuple(split.value for split in Split)),
        "output": (config.output, ("text", "json")),
    }
    choices |= {f"round.controls[{i}]": (name, CONTROLS) for i, name in enumerate(config.round.controls)}
    for key, (chosen, known) in choices.items():
        if chosen not in known:
            raise InputError(f"config {key}={chosen}: expected one of {', '.join(known)}")
    counts = {
        "round.problems": config.round.problems,
        "round.traces_per_problem": config.round.traces_per_problem,
        "evaluate.problems": config.evaluate.problems,
        "evaluate.drawn": config.evaluate.drawn,
        "evaluate.samples": config.evaluate.samples,
        "scheduler.trees_at_once": config.scheduler.trees_at_once,
        "scheduler.max_depth": config.scheduler.max_depth,
        "scheduler.max_tokens": config.scheduler.max_tokens,
        "prm.zero.problems": config.prm.zero.problems,
        "policy.base.demonstrations": config.policy.base.demonstrations,
    }
    for key, count in counts.items():
        if count < 1:
            raise InputError(f"config {key}={count}: expected at least 1")
    if config.round.count < 0 or config.round.replay < 0:
        raise InputError(f"config round: count={config.round.count}, replay={config.round.replay}, expected 0 or more")


def search_of(config: Config) -> Search:
    """The search that `search=NAME` describes. Its kind is told by the settings it has."""
    node = fields_of(config.search)
    kind = str(node.pop("kind"))
    return settings_of(SEARCHES[kind], node, "search")


def budget_of(node: BudgetConfig, where: str, *, stop_when_solved: bool = False) -> Budget:
    """The budget a configuration node describes."""
    return settings_of(Budget, {**fields_of(node), "stop_when_solved": stop_when_solved}, where)


def policy_of(config: Config, path: Path) -> Policy:
    """The policy of a checkpoint directory."""
    from policy.transformers_policy import TransformersPolicy

    return TransformersPolicy.load(path, batch_rows=config.policy.batch_rows)


def scorer_of(config: Config, path: Path) -> StepScorer:
    """The step scorer of a checkpoint directory."""
    from prm.scorer import HfScorer

    return HfScorer.load(path, batch_rows=config.prm.batch_rows, aggregate=config.prm.aggregate)


def fields_of(node: Any) -> dict[str, Any]:
    """The fields of a resolved configuration node."""
    return {item.name: getattr(node, item.name) for item in dataclasses.fields(node)}
