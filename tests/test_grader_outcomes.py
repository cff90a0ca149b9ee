import subprocess
import sys

import pytest
from grader_pairs import DIFFERENT, SAME

from mcts.types import Outcome
from regrow.grader import Grader
from regrow.grader.answers import LONGEST
from regrow.grader.grader import decide


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2, timeout_s=20.0) as grader:
        yield grader


def test_what_means_the_same_is_correct(grader):
    pairs = [(gold, answer) for gold, answers in SAME.items() for answer in [gold, *answers]]
    futures = [grader.submit(gold, answer) for gold, answer in pairs]
    outcomes = [future.result() for future in futures]
    assert [pair for pair, outcome in zip(pairs, outcomes, strict=True) if outcome is not Outcome.CORRECT] == []


def test_what_means_something_else_is_wrong(grader):
    pairs = [(gold, answer) for gold, answers in DIFFERENT.items() for answer in answers]
    futures = [grader.submit(gold, answer) for gold, answer in pairs]
    outcomes = [future.result() for future in futures]
    assert [pair for pair, outcome in zip(pairs, outcomes, strict=True) if outcome is not Outcome.WRONG] == []


@pytest.mark.parametrize(
    "answer", [None, "", "  ", "$$", r"\$", ".", "1" * (LONGEST + 1), "(" * 26 + "2" + ")" * 26, "\x00"]
)
def test_no_answer_an_empty_one_and_one_too_long_are_unparsed(answer):
    assert decide("18", answer) is Outcome.UNPARSED


@pytest.mark.parametrize("answer", ["???", r"\frac{", "#!/bin/sh", r"\begin{pmatrix}"])
def test_what_is_no_mathematics_is_unparsed(grader, answer):
    assert grader.grade(r"\sqrt{2}", answer) is Outcome.UNPARSED


def test_plain_answers_take_no_algebra():
    plain = [("18", "18 dollars"), ("18", "19"), (r"\frac34", "0.75"), (r"\text{even}", "odd"), ("1,-2", "-2, 1"),
             ("(3,4]", "[3,4)"), (r"\{1,2\}", "1"), ("4210_5", "4210_6"), (r"\frac{\pi}{2}", r"\frac\pi2")]  # fmt: skip
    assert None not in [decide(gold, answer) for gold, answer in plain]


def test_the_tables_need_both_ways_of_deciding():
    undecided = [decide(gold, answer) is None for gold, answers in SAME.items() for answer in answers]
    assert 10 < sum(undecided) < len(undecided) / 2


def test_the_calling_process_loads_no_computer_algebra():
    said = """
import sys
from regrow.grader.grader import decide
assert decide("18", "2x") is None
print("sympy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
