# ruff: noqa: RUF001  # look-alikes are what is tested

import time

import pytest

from regrow.grader import extractor, normal_form
from regrow.grader.answers import LONGEST


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so $\boxed{18}$.", "18"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{3}{4} \text{ cups}}", r"\frac{3}{4} \text{ cups}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        (r"\fbox{x}", "x"),
        (r"\boxed 5.", "5"),
        (r"\boxed{5} and then \boxed{6", "5"),
        (r"\boxed{5}, your answer in \boxed{}", "5"),
        (r"\boxed{\boxed{5}}", r"\boxed{5}"),
        (r"\\boxed{5}", "5"),
        (r"\boxed {7}", "7"),
        ("the answer is 18", None),
        (r"\boxedness{5}", None),
        (r"\boxed{", None),
        ("", None),
    ],
)
def test_the_last_box_that_holds_something_is_the_answer(text, answer):
    assert extractor(["boxed"])(text) == answer


def test_rules_are_tried_in_order():
    extract = extractor(["boxed", "hashes", r"answer is ([^\n.]+)", "number"])
    assert extract("#### 1,234\n\\boxed{7}") == "7"
    assert extract("9 * 2 = 18\n#### 1,234 \nbye") == "1,234"
    assert extract("the answer is 5. No, the answer is x + 1.") == "x + 1"
    assert extract("2 and 3 make 1,005.5.") == "1,005.5"
    assert extract("nothing") is None


@pytest.mark.parametrize("rule", ["answer is", "(", "hash"])
def test_a_rule_that_is_no_rule_is_refused(rule):
    with pytest.raises(ValueError, match="answer rule: expected a regular expression"):
        extractor([rule])


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 150_000,
        "{" * 500_000 + "}" * 500_000,
        "\\" * 1_000_000,
        r"\boxed " * 150_000,
        r"\boxed" + " " * 1_000_000,
        "#" * 1_000_000,
        "1," * 500_000,
        "\\boxed{" + "9" * 1_000_000 + "}",
        "}" * 1_000_000,
    ],
    ids=range(9),
)
def test_a_million_hostile_characters_take_seconds_at_most(text):
    start = time.perf_counter()
    for rule in ("boxed", "hashes", "number", r"is (\d+)"):
        extractor([rule])(text)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "alike",
    [
        ["70000", "$70K", r"\$70k", r"$\$70k$", "$70,000", "70000/year", "`70000`"],
        ["2k", "$2k$", "$ 2k $", r"\(2k\)"],
        ["2k+2", "$2k+2$", "$2k + 2$."],
        ["1,000", "1000", "$1000$", "1000.0", r"\$1{,}000", "1 000", "１０００", "١٠٠٠", "1000 dollars"],
        [r"\frac12", "1/2", "0.5", r"\dfrac{1}{2}", ".5", "½", r"\frac{2}{4}"],
        [r"\text{Monday}", "monday", "Monday.", r"\textbf{Monday}"],
        [r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}2)", r"(3, \tfrac{\pi}{2})"],
        ["x=1, x=2", "2 and 1", r"\{1,2\}", "1,2,1"],
        [r"50\%", "50", "50 percent"],
        [r"90^\circ", "90°", "90"],
    ],
)
def test_plainly_equal_answers_have_one_normal_form(alike):
    assert len({normal_form(answer) for answer in alike}) == 1


@pytest.mark.parametrize(
    "answers",
    [
        ["(1,2)", "(2,1)", "[1,2]", "(1,2]", "1,2", "12", "1200"],
        ["R", "r", "2R", "2"],
        ["10:30 a.m.", "10:30 p.m.", "10:30"],
        ["5", "5k", "5/x", "5 million", "5x", "-5", "5/2", "5^2"],
        ["12", "1\x002"],
        ["10^10^10", "10^1010", "10^20"],
    ],
)
def test_answers_that_differ_have_normal_forms_of_their_own(answers):
    assert len({normal_form(answer) for answer in answers}) == len(answers)


def test_no_power_is_computed_and_a_long_answer_stays_as_it_is():
    assert normal_form("10^10^10") == "10^10^10"
    assert normal_form("9^{9^{9}}") == "9^{9^9}"
    assert normal_form(" " + "1" * LONGEST) == " " + "1" * LONGEST


def test_a_normal_form_is_its_own_normal_form():
    for answer in ["1,000", r"\frac12", r"\text{Monday}", r"(3, \frac{\pi}{2})", r"3 \pm \sqrt{2}", "y = 2x + 3"]:
        assert normal_form(normal_form(answer)) == normal_form(answer)
