"""Problems from rows: which columns say what, and the one line that a broken row gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mcts.errors import InputError
from mcts.seen import Seen
from mcts.types import Problem
from regrow.provenance import digest
from regrow.tasks.sources import Row, rows
from regrow.tasks.task import GradedProblem, Task

QUESTIONS = ("problem", "question")
ANSWERS = ("answer", "solution")


@dataclass(frozen=True, slots=True)
class Columns:
    """Under which names a row has what.

    Attributes:
        problem: None takes `problem` or `question`.
        answer: None takes `answer` or `solution`. It may be a whole solution that ends in the answer.
        id: Where a row has none, the problem is known by a digest of the question.
    """

    problem: str | None = None
    answer: str | None = None
    id: str = "id"
    level: str = "level"
    subject: str = "subject"


ORDINARY = Columns()


def read_problems(
    source: str, task: Task, columns: Columns = ORDINARY, *, needs_answers: bool = True
) -> list[GradedProblem]:
    """All problems of a source. Raises `InputError` as `iter_problems` does."""
    return list(iter_problems(source, task, columns, needs_answers=needs_answers))


def iter_problems(
    source: str, task: Task, columns: Columns = ORDINARY, *, needs_answers: bool = True
) -> Iterator[GradedProblem]:
    """Stream the problems of a source; every question in the task's canonical form.

    Args:
        source: A file or the name of a data set; see `regrow.tasks.sources`.
        needs_answers: Whether a row without an answer is an error; a search needs none.

    Raises:
        InputError: The source cannot be read, has no rows, or a row is broken or has the id of another; names where.
    """
    seen = Seen()
    number = 0
    for number, row in enumerate(rows(source), start=1):
        graded = _problem(row, task, columns, needs_answers)
        first = seen.first(graded.problem.id, number)
        if first != number:
            raise InputError(
                f"{row.where}: the same id as problem {first}, {graded.problem.id!r}; expected ids to differ"
            )
        yield graded
    if not number:
        raise InputError(f"{source}: no problems, expected one a row")


def questions(sources: Iterable[str], columns: Columns = ORDINARY) -> Iterator[str]:
    """Stream the questions of sources, as they stand. Raises `InputError` if one cannot be read or a row has none."""
    for row in chain.from_iterable(map(rows, sources)):
        try:
            yield _question(row.fields, columns)
        except ValueError as error:
            raise InputError(f"{row.where}: {error}") from error


def _problem(row: Row, task: Task, columns: Columns, needs_answers: bool) -> GradedProblem:
    try:
        question = task.parse(_question(row.fields, columns))
        answer = _answer(row.fields, columns, task, needs_answers)
    except ValueError as error:
        raise InputError(f"{row.where}: {error}") from error
    identity = row.fields.get(columns.id)
    if identity is None:
        identity = f"{task.name}-{digest(question)[:12]}"
    level, subject = (row.fields.get(name) for name in (columns.level, columns.subject))
    return GradedProblem(Problem(str(identity), question), answer, _text(level), _text(subject))


def _question(fields: Mapping[str, Any], columns: Columns) -> str:
    names = QUESTIONS if columns.problem is None else (columns.problem,)
    name, found = _first(fields, names)
    if found is None:
        raise ValueError(f"no {' or '.join(names)}, expected a text there; the row has {_named(fields)}")
    if not isinstance(found, str) or not found.strip():
        raise ValueError(f"{name} is {_said(found)}, expected a text")
    return found


def _answer(fields: Mapping[str, Any], columns: Columns, task: Task, needs_answers: bool) -> str:
    names = ANSWERS if columns.answer is None else (columns.answer,)
    name, answer = _first(fields, names)
    if answer is None or (isinstance(answer, str) and not answer.strip()):
        if needs_answers:
            raise ValueError(f"no {' or '.join(names)}, expected a text or a number; the row has {_named(fields)}")
        return ""
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise ValueError(f"{name} is {_said(answer)}, expected a text or a number")
    return task.gold(str(answer))


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    """The first of these columns in which there is something."""
    return next(((name, fields[name]) for name in names if fields.get(name) is not None), (names[0], None))


def _named(fields: Mapping[str, Any]) -> str:
    return ", ".join(list(map(str, fields))[:12]) or "nothing"


def _said(value: object) -> str:
    return "an empty text" if isinstance(value, str) else f"a {type(value).__name__}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
