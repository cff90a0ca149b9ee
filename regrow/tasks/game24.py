"""Game of 24: make 24 from four numbers, each used once, with + - * / and brackets; fractions on the way count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement

from mcts.types import Outcome, Problem
from regrow.tasks.expression import ExpressionError, read_expression
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import GradedProblem, Split, ValuedSteps

TARGET = Fraction(24)
LARGEST = 13
_ANSWER = re.compile(r"answer\s*:?\s*(.+)", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(.+)\}")


class Game24:
    """Questions such as `4 5 6 10`; the last line that has one gives the expression: `(5 * (10 - 4)) - 6 = 24`.

    The expression may stand behind `Answer:` or in a box; what is said before it is not judged.
    Problems are the 1,362 solvable sets of four numbers from 1 to 13.
    """

    name = "game24"
    is_checkable = True

    def parse(self, question: str) -> str:
        """The question with its numbers in ascending order."""
        words = question.replace(",", " ").split()
        numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= 2]
        if len(words) != 4 or len(numbers) != 4 or not all(1 <= number <= LARGEST for number in numbers):
            raise ValueError(f"game24 question: expected four numbers from 1 to {LARGEST}, got {question!r}")
        return " ".join(map(str, sorted(numbers)))

    def gold(self, answer: str) -> str:
        """The target: whatever a row says, there is no other."""
        return str(TARGET)

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        """Distinct solvable problems; more of them begin with the same ones."""
        found = [question for question in _solvable() if split_of(question) is split]
        if not 0 <= count <= len(found):
            raise ValueError(f"game24: expected count <= {len(found)}, all the {split} problems there are, got {count}")
        chosen = stream(self.name, split, seed).sample(found, len(found))[:count]
        return [GradedProblem(Problem(problem_id(self.name, one), one), str(TARGET)) for one in chosen]

    def is_training(self, question: str) -> bool:
        """By the hash of the question."""
        return split_of(question) is Split.TRAIN

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        """Whether the expression makes 24 of the problem's numbers, each used once."""
        said = _expression(steps)
        if said is None:
            return Outcome.UNPARSED
        try:
            expression = read_expression(said)
        except ExpressionError:
            return Outcome.UNPARSED
        uses_all = Counter(expression.numbers) == Counter(map(int, graded.problem.question.split()))
        return Outcome.CORRECT if uses_all and expression.value == TARGET else Outcome.WRONG

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        """The same: the problem states its own test."""
        return self.verify(GradedProblem(problem, str(TARGET)), steps) is Outcome.CORRECT

    def answer(self, steps: Sequence[str]) -> str | None:
        """The expression without spaces."""
        said = _expression(steps)
        return None if said is None else "".join(said.split())

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps | None:
        """Steps are free text: nobody knows."""
        return None

    def canonical(self, steps: Sequence[str]) -> str:
        """The answer, or the text where there is none."""
        return self.answer(steps) or " ".join(" ".join(steps).split())


def _expression(steps: Sequence[str]) -> str | None:
    """The expression of the last line that gives one, without `= 24`."""
    for line in reversed("\n".join(steps)[-2000:].splitlines()):
        found = _BOXED.search(line) or _ANSWER.search(line)
        text = found[1] if found else line
        left, equals, _ = text.rpartition("=")
        if found or equals:
            return (left if equals else text).strip(" $.")
    return None


@lru_cache(maxsize=1)
def _solvable() -> tuple[str, ...]:
    sets = combinations_with_replacement(range(1, LARGEST + 1), 4)
    return tuple(" ".join(map(str, numbers)) for numbers in sets if _is_solvable(tuple(map(float, numbers))))


def _is_solvable(numbers: tuple[float, ...]) -> bool:
    """Whether some order of operations makes 24. Floats will do: no value of four such numbers lies so near to it."""
    if len(numbers) == 1:
        return abs(numbers[0] - 24.0) < 1e-9
    for i, j in combinations(range(len(numbers)), 2):
        rest = tuple(numbers[k] for k in range(len(numbers)) if k not in (i, j))
        if any(_is_solvable((*rest, result)) for result in _results(numbers[i], numbers[j])):
            return True
    return False


def _results(a: float, b: float) -> Iterator[float]:
    yield from (a + b, a * b, a - b, b - a)
    if b:
        yield a / b
    if a:
        yield b / a
