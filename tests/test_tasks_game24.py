"""Game of 24: what counts as a solution, and what does not."""

import re

import pytest

from mcts.types import Outcome, Problem
from regrow.tasks.expression import ExpressionError, read_expression
from regrow.tasks.game24 import Game24, _solvable
from regrow.tasks.task import GradedProblem, Split

TASK = Game24()
PROBLEM = GradedProblem(Problem("p", "4 5 6 10"), "24")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Answer: (5 * (10 - 4)) - 6 = 24", Outcome.CORRECT),
        ("answer (5 × (10 − 4)) − 6", Outcome.CORRECT),  # noqa: RUF001
        (r"So it is \boxed{5 \times (10 - 4) - 6 = 24}.", Outcome.CORRECT),
        ("10 - 4 = 6\n5 * 6 = 30\n30 - 6 = 24\n5 * (10 - 4) - 6 = 24", Outcome.CORRECT),
        ("Answer: 6 * 4 = 24", Outcome.WRONG),
        ("Answer: 10 + 4 + 5 + 6 = 24", Outcome.WRONG),
        ("Answer: 4 * 6 * (10 - 5 - 4) = 24", Outcome.WRONG),
        ("Answer: 24", Outcome.WRONG),
        ("Answer: 4 / (5 - 5) + 6 + 10", Outcome.WRONG),
        ("Answer: __import__('os')", Outcome.UNPARSED),
        ("Answer: 10 ** 10 ** 10", Outcome.UNPARSED),
        ("Answer: " + "(" * 100_000, Outcome.UNPARSED),
        ("Answer: (5 * (10 - 4) - 6", Outcome.UNPARSED),
        ("I give up", Outcome.UNPARSED),
        ("", Outcome.UNPARSED),
    ],
)
def test_an_expression_makes_24_of_each_number_used_once(said, outcome):
    assert TASK.verify(PROBLEM, said.splitlines()) is outcome
    assert TASK.check(PROBLEM.problem, said.splitlines()) is (outcome is Outcome.CORRECT)


def test_fractions_on_the_way_count():
    graded = GradedProblem(Problem("p", TASK.parse("8 3 8 3")), "24")
    assert TASK.verify(graded, ["Answer: 8 / (3 - 8 / 3)"]) is Outcome.CORRECT


def test_there_are_1362_solvable_problems_each_in_one_split():
    assert len(_solvable()) == 1362
    found = []
    for split in Split:
        with pytest.raises(ValueError, match="all the") as told:
            TASK.problems(split, 1363, 0)
        count = int(re.search(r"count <= (\d+)", str(told.value))[1])
        found += [one.problem.question for one in TASK.problems(split, count, 0)]
    assert sorted(found) == sorted(_solvable())


def test_more_problems_begin_with_the_same_ones():
    assert TASK.problems(Split.TEST, 50, 3)[:20] == TASK.problems(Split.TEST, 20, 3)
    assert TASK.problems(Split.TEST, 20, 4) != TASK.problems(Split.TEST, 20, 3)


@pytest.mark.parametrize("question", ["1 2 3", "1 2 3 4 5", "0 1 2 3", "1 2 3 14", "a b c d", "1 2 3 ٤"])
def test_a_question_has_four_numbers_from_1_to_13(question):
    with pytest.raises(ValueError, match="four numbers from 1 to 13"):
        TASK.parse(question)
    assert TASK.parse(" 10, 4 6,5") == "4 5 6 10"


@pytest.mark.parametrize(("text", "value"), [("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 - 2 - 1", 4), ("8 / 2 / 2", 2)])
def test_signs_bind_as_usual(text, value):
    assert read_expression(text).value == value


@pytest.mark.parametrize("text", ["", "1 +", "1 2", ")", "1 + -", "1e9", "x", "1" * 201])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ExpressionError):
        read_expression(text)
