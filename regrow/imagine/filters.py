"""What a question must not be: none of the task's, one that is known already, or a held-out one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from rapidfuzz.fuzz import ratio
from rapidfuzz.process import extractOne

from regrow.contamination import Contamination
from regrow.imagine.imagination import Imagination
from regrow.tasks.task import Task

_NUMBER = re.compile(r"\d+")


class Dropped(StrEnum):
    """Why a reply is no new problem, in the order in which it is looked at."""

    UNFINISHED = "unfinished"
    UNREADABLE = "no question"
    KNOWN = "known"
    NEAR = "near one known"
    HELD_OUT = "held out"
    DISPUTED = "disputed"
    EASY = "too easy"


class KnownQuestions:
    """Questions that came before, whatever their case and white space."""

    def __init__(self) -> None:
        self._by_numbers: dict[tuple[str, ...], set[str]] = {}

    def add(self, question: str) -> None:
        """Remember a question."""
        form = normal(question)
        self._by_numbers.setdefault(_numbers(form), set()).add(form)

    def __contains__(self, question: str) -> bool:
        """Whether it is one of them."""
        form = normal(question)
        return form in self._by_numbers.get(_numbers(form), ())

    def is_near(self, question: str, similarity: float) -> bool:
        """Whether it is that similar to one with the same numbers in the same order: other numbers ask for others."""
        form = normal(question)
        rivals = self._by_numbers.get(_numbers(form), ())
        return extractOne(form, rivals, scorer=ratio, score_cutoff=100 * similarity) is not None


class Sieve:
    """Tells what may become a problem.

    Args:
        known: Questions that need not be made again.
        held_out: Questions that must not come up.
    """

    def __init__(self, task: Task, settings: Imagination, known: Iterable[str], held_out: Iterable[str]) -> None:
        self._task = task
        self._near = settings.near_duplicate
        self._known, self._held_out = KnownQuestions(), KnownQuestions()
        for question in known:
            self._known.add(question)
        kept_out = list(held_out)
        for question in kept_out:
            self._held_out.add(question)
        self._contamination = Contamination(kept_out, settings.ngram) if settings.ngram else None

    def question(self, reply: str | None) -> str | Dropped:
        """The question in the task's canonical form, known from now on; or why it is dropped."""
        if reply is None:
            return Dropped.UNFINISHED
        try:
            question = self._task.parse(reply)
        except ValueError:
            return Dropped.UNREADABLE
        if question in self._known:
            return Dropped.KNOWN
        if self._near is not None and self._known.is_near(question, self._near):
            return Dropped.NEAR
        if self.is_held_out(question):
            return Dropped.HELD_OUT
        self._known.add(question)
        return question

    def is_held_out(self, question: str) -> bool:
        """Whether it is held out: as it stands, by words in a row, or by what the task says of it."""
        if question in self._held_out or not self._task.is_training(question):
            return True
        return self._contamination is not None and question in self._contamination


def normal(question: str) -> str:
    """The question whatever its case and white space."""
    return " ".join(question.casefold().split())


def _numbers(form: str) -> tuple[str, ...]:
    return tuple(_NUMBER.findall(form))
