"""The tool of an outcome reward model: which equations a text claims, which of them are false, and what that costs."""

import time

import pytest

from mcts.types import Outcome, Problem, Score, State, Step, Ticket
from prm.fixed import ConstantScorer
from regrow.claims import MOST, Claim, claims
from regrow.grader import Grader
from regrow.prm_evaluation import score_all
from regrow.tool_orm import ToolOrm

HANG = "9^{9^{9^{9}}} = 3"


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1, timeout_s=2.0) as grader:
        yield grader


def values(orm, *texts):
    (told,) = score_all(orm, [State(Problem("p", "q"), tuple(map(Step, texts)))])
    return told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 * 4 = 12", [("3*4", "12")]),
        ("so she has 48/2 = <<48/2=24>>24 clips", [("48/2", "24")]),
        ("3 + 4 = 7 apples. Then 7 * 2 = 14.", [("3+4", "7"), ("7*2", "14")]),
        (r"thus $3 \times 4 = 12$ of them", [("3\\times4", "12")]),
        (r"\frac{1}{2} + \frac{1}{3} = \frac{5}{6}", [(r"\frac{1}{2}+\frac{1}{3}", r"\frac{5}{6}")]),
        (r"$\$1,000 + \$5 = \$1,005$", [("1000+5", "1005")]),
        ("1 + 2 = 3 = 9/3", [("1+2", "3"), ("3", "9/3")]),
        ("x = 3 + 4 = 7", [("3+4", "7")]),
        ("total: -3 + 5 = 2", [("-3+5", "2")]),
        ("1 + 1 = 3 and 1+1=3", [("1+1", "3")]),
    ],
)
def test_equations_of_numbers_are_claims(text, expected):
    assert [(claim.left, claim.right) for claim in claims(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "x + 3 = 7", "3x + 4 = 7", "6 + 1 = 7x", "6 + 1 = 7 x", "f(3) = 9 + 1", r"\sqrt{4} + 1 = 3", "20% + 5 = 6%",
        "half of 10 + 2 = 7", "9:00 + 2 = 11:00", "7 / 2 = 3 remainder 1", "12 3 + 4 = 7", "answer = 7", "5 = 5",
        "3 + = 7", "(3 + 4 = 7", "3 + 4 =", "3 + 4 = 7,5", "",
    ],
)  # fmt: skip
def test_what_may_be_part_of_something_longer_is_no_claim(text):
    assert claims(text) == ()


@pytest.mark.parametrize(
    ("left", "right", "holds"),
    [
        ("3*4", "12", True), ("3*4", "13", False), ("2+3*4", "(7+7)", True), ("10/3", "3.33", True),
        ("10/3", "3.34", False), ("10/3", "3", False), ("0.1+0.2", "0.3", True), ("5/0", "3", False),
        (r"3\times4", "12", True), ("2^3", "8", None), (r"\frac{1}{2}+1", "2", None),
    ],
)  # fmt: skip
def test_plain_arithmetic_is_decided_by_exact_fractions(left, right, holds):
    assert Claim(left, right).holds() is holds


def test_a_long_text_is_read_in_linear_time_and_gives_a_limited_number_of_claims():
    start = time.perf_counter()
    assert len(claims("\n".join(f"{n} + 1 = 9" for n in range(100_000)))) == MOST
    for hostile in ("1+" * 500_000 + "=2", "(" * 10**6, "=" * 10**6, "1 = " * 10**5, r"\frac{" * 10**5):
        claims(hostile)
    assert time.perf_counter() - start < 5


def test_from_the_first_false_equation_on_nothing_is_left_of_the_value(grader):
    orm = ToolOrm(ConstantScorer(0.75), grader)
    assert values(orm, "3 * 4 = 12", "12 - 5 = 7", "answer 7") == (0.75,) * 4
    assert values(orm, "3 * 4 = 12", "12 - 5 = 8", "answer 8") == (0.75, 0.75, 0.0, 0.0)
    assert ToolOrm(ConstantScorer(0.5), grader).fingerprint != orm.fingerprint != ConstantScorer(0.75).fingerprint


def test_what_takes_algebra_is_judged_by_a_worker(grader):
    orm = ToolOrm(ConstantScorer(1.0), grader)
    assert values(orm, "2^{3} = 8", r"\frac{1}{2} + \frac{1}{3} = \frac{5}{6}", "2^3 = 9") == (1.0, 1.0, 1.0, 0.0)


def test_a_time_out_and_what_may_be_rounded_are_no_evidence(grader):
    assert grader.grade("9^{9^{9^{9}}}", "3") is Outcome.TIMEOUT
    assert values(ToolOrm(ConstantScorer(1.0), grader), HANG, "2^{0.5} = 1.41") == (1.0,) * 3


def test_a_reply_waits_for_its_worker_and_holds_up_no_other():
    with Grader(workers=1, timeout_s=30.0) as grader:
        orm = ToolOrm(ConstantScorer(1.0), grader)
        for number, text in enumerate(["2^{4} = 15", "1 + 1 = 2"]):
            orm.submit(Ticket("t", number), Score(State(Problem("p", "q"), (Step(text),))))
        assert orm.poll(0.0) == [(Ticket("t", 1), (1.0, 1.0))]
        late = []
        while not late:
            late = orm.poll(1.0)
        assert late == [(Ticket("t", 0), (1.0, 0.0))]
        assert orm.poll(0.0) == []
