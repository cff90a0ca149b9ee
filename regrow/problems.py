"""Problem files: JSONL with `problem` or `question`, `answer`, and an optional `id`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mcts.errors import InputError
from mcts.types import Problem
from regrow.provenance import digest
from regrow.tasks.task import GradedProblem, Task


def read_problems(path: Path, task: Task, *, needs_answers: bool = True) -> list[GradedProblem]:
    """Read a problem file; every question in the task's canonical form.

    Args:
        needs_answers: Whether a line without `answer` is an error; a search needs none.

    Raises:
        InputError: The file cannot be read, is empty, or a line is broken; names file and line.
    """
    problems = list(_read(path, task, needs_answers))
    if not problems:
        raise InputError(f"{path}: no problems, expected one JSON object a line")
    lines_of: dict[str, int] = {}
    for number, graded in enumerate(problems, start=1):
        first = lines_of.setdefault(graded.problem.id, number)
        if first != number:
            raise InputError(f"{path}: problems {first} and {number} have the same id {graded.problem.id!r}")
    return problems


def _read(path: Path, task: Task, needs_answers: bool) -> Iterator[GradedProblem]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"problems={path}: cannot be read ({error}), expected a JSONL file") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _parse(line, task, needs_answers)
            except ValueError as error:
                raise InputError(f"{path}:{number}: {error}") from error


def _parse(line: str, task: Task, needs_answers: bool) -> GradedProblem:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}), expected an object with problem (or question) and answer") from error
    if not isinstance(row, dict):
        raise ValueError(f"a JSON {type(row).__name__}, expected an object with problem (or question) and answer")
    question = row.get("problem", row.get("question"))
    if not isinstance(question, str):
        raise ValueError("no problem or question, expected a text under one of these keys")
    answer = row.get("answer")
    if answer is None and needs_answers:
        raise ValueError("no answer, expected a text or number under the key answer")
    if not isinstance(answer, str | int | float | None):
        raise ValueError(f"answer is a {type(answer).__name__}, expected a text or a number")
    question = task.parse(question)
    identity = row.get("id", f"{task.name}-{digest(question)[:12]}")
    return GradedProblem(Problem(str(identity), question), "" if answer is None else str(answer))
