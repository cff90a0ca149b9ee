"""The door `regrow search`: a question, lines of them, or a file; no training, no gold answers."""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mcts.errors import InputError
from mcts.types import Problem
from regrow.answer import Answer
from regrow.answer_forms import json_line, print_text, write_parquet
from regrow.answering import Answering, problem_of
from regrow.build import columns_of, task_of
from regrow.config import Config
from regrow.live import watched
from regrow.progress import console
from regrow.searcher import Pending
from regrow.tasks.problems import read_problems
from regrow.tasks.task import Task

STDIN = "-"
PARQUET = "parquet"


def ask(config: Config, question: str | None) -> None:
    """Search and print answers as they come, in the order of the questions; interrupted, the best so far.

    Args:
        question: `-` reads questions from standard input, one a line; None does so where something is piped in.
            `problems=FILE` goes instead of a question.

    Raises:
        InputError: What is asked cannot be, or every search was given up.
    """
    _check_output(config)
    task = task_of(config)
    problems = _problems(config, task, question)
    answers: list[Answer] = []
    failures: list[str] = []
    give = answers.append if config.output == PARQUET else _printer(config)
    with Answering(config, task) as answering, watched(answering, len(problems)) as view:
        waiting: deque[Pending] = deque()
        try:
            for answer in answering.answers(problems, waiting, view):
                failures += filter(None, [answer.tree.failure])
                view.hide()
                give(answer)
        except KeyboardInterrupt:
            view.hide()
            for tree in filter(None, (pending.best() for pending in waiting)):
                give(answering.answer(tree))
            raise
        finally:
            if config.out is not None and answers:
                write_parquet(Path(config.out), answers, with_tree=config.tree)
    if failures:
        told = f"{len(failures)} of {len(problems)} trees were given up; the first: {failures[0]}"
        if len(failures) == len(problems):
            raise InputError(told)
        console.print(f"searching: {told}")


def _check_output(config: Config) -> None:
    if config.output == PARQUET and config.out is None:
        raise InputError("config output=parquet: no file, expected out=FILE")
    if config.output != PARQUET and config.out is not None:
        raise InputError(f"config out={config.out} with output={config.output}: expected output=parquet")
    if config.out is not None and not Path(config.out).parent.is_dir():
        raise InputError(f"config out={config.out}: no such folder, expected a file in one that is there")


def _printer(config: Config) -> Callable[[Answer], None]:
    if config.output == "json":
        return lambda answer: print(json_line(answer, with_tree=config.tree), flush=True)
    return partial(print_text, with_tree=config.tree)


def _problems(config: Config, task: Task, question: str | None) -> list[Problem]:
    if question is not None and config.problems is not None:
        raise InputError("both a question and problems=FILE, expected one of them")
    if config.problems is not None:
        read = read_problems(config.problems, task, columns_of(config), needs_answers=False)
        return [graded.problem for graded in read]
    if question == STDIN or (question is None and _is_fed()):
        lines = [(number, line.strip()) for number, line in enumerate(sys.stdin, start=1) if line.strip()]
        if not lines:
            raise InputError("standard input: no question, expected one a line")
        return [problem_of(task, line, f"standard input:{number}:") for number, line in lines]
    if question is None:
        raise InputError('no question, expected regrow search "QUESTION", lines on standard input, or problems=FILE')
    return [problem_of(task, question)]


def _is_fed() -> bool:
    """Whether a pipe or a file is standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
