"""The Task port: where problems come from, who verifies them, what their steps look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from mcts.types import Outcome, Problem


class Split(StrEnum):
    """Disjoint by construction: a problem's split is a hash of the problem itself."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class GradedProblem:
    """A problem with its gold answer. Seen by verifiers and reports only; searches receive `problem`.

    Attributes:
        answer: Empty where nobody knows it, or it shall not be used: then `regrow.pseudo_labels` say what is right.
        level: How hard its source calls it; empty where it says nothing. So is `subject`.
    """

    problem: Problem
    answer: str
    level: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A solution as text, one string a step, without delimiters."""

    question: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValuedSteps:
    """A solution, or a beginning of one, with what is known about each step.

    Attributes:
        steps: [K] step texts.
        is_complete: Whether the last step ends the solution.
        values: [K] progress values v_k of ReST-MCTS* (reference Eq. 1 and 2, in [0, 1]).
        reachable: [K] whether a correct answer can still follow.
    """

    question: str
    steps: tuple[str, ...]
    is_complete: bool
    values: tuple[float, ...]
    reachable: tuple[bool, ...]


class Task(Protocol):
    """A family of problems with verification."""

    name: str
    is_checkable: bool
    """Whether `check` can judge from the problem alone; if not, search works with hidden outcomes."""

    def parse(self, question: str) -> str:
        """The question in canonical form. Raises `ValueError` saying what was expected."""

    def gold(self, answer: str) -> str:
        """The gold answer in what a row has under `answer`. Raises `ValueError` saying what was expected."""

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        """`count` distinct problems of `split`, the same for the same seed. Raises `ValueError` if there are fewer."""

    def is_training(self, question: str) -> bool:
        """Whether a question that `parse` gave, whoever made it, may be trained on: neither validation nor test."""

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        """Judge a complete solution against the gold answer. May be called from several threads at once."""

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        """Judge a complete solution from the problem alone; only where `is_checkable`."""

    def answer(self, steps: Sequence[str]) -> str | None:
        """What a solution answers, in a form in which equal answers are equal; None if it has no answer."""

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps | None:
        """The exact values and reachability of every step of any (also wrong) solution; None if not known."""

    def canonical(self, steps: Sequence[str]) -> str:
        """A key that is equal for solutions that differ only in form (order of independent steps, operands)."""


@runtime_checkable
class EmbeddedTask(Task, Protocol):
    """A task that needs nothing from outside: it makes its problems, and teaches a base policy and a first PRM."""

    def words(self) -> tuple[str, ...]:
        """Every word that questions and steps are made of: the embedded tokenizer's vocabulary."""

    def demonstrations(self, count: int, seed: int) -> list[Demonstration]:
        """Base-policy data on training problems: the language and arithmetic of the task, not its planning."""

    def valued_steps(self, problems: Sequence[GradedProblem], seed: int) -> list[ValuedSteps]:
        """PRM 0 data (the paper's D_V0): prefixes of known solutions at k/K, and corrupted steps."""
