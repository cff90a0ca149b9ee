"""The door for notebooks and programs: `from regrow import search`. Heavy libraries are imported when it is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from regrow.answer import Answer
    from regrow.config import Config

Path = str | PathLike[str]


@overload
def search(
    questions: str,
    *overrides: str,
    policy: Path | None = None,
    prm: Path | None = None,
    tokens: int | None = None,
    seconds: float | None = None,
) -> Answer: ...


@overload
def search(
    questions: list[str] | tuple[str, ...],
    *overrides: str,
    policy: Path | None = None,
    prm: Path | None = None,
    tokens: int | None = None,
    seconds: float | None = None,
) -> list[Answer]: ...


def search(
    questions: str | list[str] | tuple[str, ...],
    *overrides: str,
    policy: Path | None = None,
    prm: Path | None = None,
    tokens: int | None = None,
    seconds: float | None = None,
) -> Answer | list[Answer]:
    """Search a question, or several together, as `regrow search` does with the same settings: the same answers.

    Args:
        overrides: Settings as on the command line: `"search=auto"`, `"task=gsm8k"`, `"policy=vllm"`, `"seed=1"`.
        policy: A checkpoint directory, in place of the task's own base policy.
        prm: A checkpoint directory, in place of PRM 0.
        tokens: What may be generated for each question. Where neither it nor `seconds` is given, the configuration's.
        seconds: How long each may take.

    Returns:
        The answer, or for several questions theirs in order.

    Raises:
        InputError: A question or setting that cannot be; one line.
    """
    from regrow.answering import Answering, problem_of
    from regrow.build import task_of

    config = _config(overrides, policy, prm, tokens, seconds)
    task = task_of(config)
    asked = [questions] if isinstance(questions, str) else list(questions)
    problems = [problem_of(task, question) for question in asked]
    with Answering(config, task) as answering:
        answers = list(answering.answers(problems, deque()))
    return answers[0] if isinstance(questions, str) else answers


def _config(
    overrides: Sequence[str], policy: Path | None, prm: Path | None, tokens: int | None, seconds: float | None
) -> Config:
    from regrow.compose import composed
    from regrow.config import BudgetConfig

    config = composed(overrides)
    if policy is not None:
        config.policy.path = fspath(policy)
    if prm is not None:
        config.prm.path = fspath(prm)
    if tokens is not None or seconds is not None:
        config.budget = BudgetConfig(tokens=tokens, seconds=seconds)
    return config
