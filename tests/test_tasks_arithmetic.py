import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.types import Outcome, Problem
from regrow.tasks.arithmetic import Arithmetic
from regrow.tasks.arithmetic_slips import misread
from regrow.tasks.arithmetic_templates import EVENTS, OPENINGS, QUESTIONS, read, write
from regrow.tasks.arithmetic_truth import parse_answer
from regrow.tasks.equation import parse_equation
from regrow.tasks.task import GradedProblem, Split

TASK = Arithmetic()
QUESTION = "tom has 3 boxes with 4 pens each . then tom gives 5 away . how many pens are there now ?"
TWO_PRODUCTS = "tom has 6 boxes with 4 pens each . 2 friends take 5 each . how many pens are there now ?"
GRADED = GradedProblem(Problem("p", QUESTION), "7")


def test_a_known_story_is_read_as_its_computation():
    assert read(QUESTION).key == "4 * 3 = 12 ; 12 - 5 = 7"
    assert read(TWO_PRODUCTS).key == "6 * 4 = 24 ; 5 * 2 = 10 ; 24 - 10 = 14"
    in_other_words = "there are 3 books in each of 4 bags . 5 of them are lost . what is the number of books now ?"
    assert read(in_other_words).key == read(QUESTION).key
    assert read(TWO_PRODUCTS).numbers == (6, 4, 2, 5)


@pytest.mark.parametrize(
    "question",
    ["", "how many pens are there now ?", "tom has 3 pens .", "tom has 3 pens . how many pens are there now ?",
     "tom has 3 pens . then tom gives 5 away . how many pens are there now ?", QUESTION + " tom", QUESTION * 2,
     "tom has 99 pens . then tom buys 2 more . how many pens are there now ?", "tom has a car ."],
)  # fmt: skip
def test_what_is_no_story_is_not_read(question):
    assert read(question) is None
    assert TASK.truth(GradedProblem(Problem("p", question), "7"), ["answer 7"]) is None


def test_no_sentence_can_be_taken_for_another():
    for sentences in (OPENINGS, EVENTS, QUESTIONS):
        assert len({s.words for s in sentences}) == len(sentences)
        assert all(s.words.count("#") == len(s.ranges) for s in sentences)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["3 * 4 = 12", "12 - 5 = 7", "answer 7"], Outcome.CORRECT),
        (["nonsense", " answer   7 "], Outcome.CORRECT),
        (["answer 8"], Outcome.WRONG),
        (["answer 7", "3 * 4 = 12"], Outcome.UNPARSED),
        (["answer"], Outcome.UNPARSED),
        (["answer seven"], Outcome.UNPARSED),
        ([f"answer {'7' * 5000}"], Outcome.UNPARSED),
        ([], Outcome.UNPARSED),
    ],
)
def test_the_verifier_judges_the_answer_alone(steps, expected):
    assert TASK.verify(GRADED, steps) is expected


def test_the_answer_is_hidden_from_checkers():
    assert not TASK.is_checkable
    with pytest.raises(TypeError, match="arithmetic"):
        TASK.check(GRADED.problem, ["answer 7"])


@pytest.mark.parametrize(
    ("steps", "reachable", "values"),
    [
        (["3 * 4 = 12", "12 - 5 = 7", "answer 7"], (True, True, True), (1 / 3, 2 / 3, 1)),
        (["4 * 3 = 12", "12 - 5 = 7"], (True, True), (1 / 3, 2 / 3)),
        (["3 * 4 = 12", "answer 7"], (True, True), (1 / 3, 1)),
        (["3 * 4 = 12", "12 - 5 = 8"], (True, False), (1 / 3, 1 / 9)),
        (["3 + 4 = 7", "12 - 5 = 7", "answer 7"], (False, False, False), (0, 0, 0)),
        (["12 - 5 = 7"], (False,), (0,)),
        (["3 * 4 = 12", "3 * 4 = 12"], (True, False), (1 / 3, 1 / 9)),
        (["3 * 4 = 12", "12 - 5 = 7", "answer 8"], (True, True, False), (1 / 3, 2 / 3, 1 / 2)),
        (["3 * 4 = 12", "hm"], (True, False), (1 / 3, 1 / 9)),
    ],
)
def test_truth_follows_the_computation_of_the_story(steps, reachable, values):
    valued = TASK.truth(GRADED, steps)
    assert valued.reachable == reachable
    assert valued.values == pytest.approx(values)
    assert valued.is_complete == steps[-1].startswith("answer")


def test_independent_steps_may_come_in_any_order():
    graded = GradedProblem(Problem("p", TWO_PRODUCTS), "14")
    steps = ["5 * 2 = 10", "6 * 4 = 24", "24 - 10 = 14", "answer 14"]
    assert TASK.truth(graded, steps).values == pytest.approx((0.25, 0.5, 0.75, 1))
    assert TASK.truth(graded, ["24 - 10 = 14"]).reachable == (False,)


@settings(deadline=None)
@given(st.integers(2, 4), st.randoms(use_true_random=False))
def test_stories_read_back_chain_true_equations_within_the_range(operations, rng):
    story = next(filter(None, (write(rng, operations) for _ in range(10_000))))
    assert story == read(story.question)
    assert len(story.operations) == operations
    for index, operation in enumerate(story.operations):
        equation = operation.equation
        assert equation.is_true
        assert 1 <= equation.result <= 99
        for value, source in ((equation.left, operation.left_from), (equation.right, operation.right_from)):
            if source is None:
                assert value in story.numbers
            else:
                assert source < index
                assert value == story.operations[source].equation.result


@settings(deadline=None)
@given(st.lists(st.text("0123456789+-*/= answer²", max_size=12), max_size=4))
def test_any_text_can_be_judged(steps):
    assert TASK.verify(GRADED, steps) in set(Outcome)
    assert len(TASK.truth(GRADED, steps).values) == len(steps)
    assert isinstance(TASK.canonical(steps), str)


def test_problems_have_the_lengths_asked_for_and_never_show_their_answer():
    problems = Arithmetic(operations=[2, 4]).problems(Split.TEST, 300, 0)
    assert Counter(len(read(g.problem.question).operations) for g in problems) == {2: 150, 4: 150}
    for g in problems:
        assert g.answer not in g.problem.question.split()
        assert g.answer == str(read(g.problem.question).answer)


def test_every_sentence_occurs_in_problems():
    text = " ".join(g.problem.question for g in TASK.problems(Split.TRAIN, 1000, 0))
    for sentence in (*OPENINGS, *EVENTS, *QUESTIONS):
        longest = max(" ".join(sentence.words).replace("#", "|").replace("NAME", "|").split("|"), key=len)
        for part in longest.replace("ITEM", "|").replace("BOX", "|").split("|"):
            assert part in text


def test_demonstrators_calculate_without_fault_and_misread():
    shown = TASK.demonstrations(4000, 0)
    right = Counter()
    told = Counter()
    for d in shown:
        equations = [parse_equation(step) for step in d.steps[:-1]]
        assert all(e.is_true and 0 <= e.result <= 99 for e in equations)
        assert parse_answer(d.steps[-1]) == equations[-1].result
        story = read(d.question)
        told[len(story.operations)] += 1
        right[len(story.operations)] += parse_answer(d.steps[-1]) == story.answer
    assert told[1] / 4000 == pytest.approx(0.4, abs=0.1)
    solved = sum(right[n] for n in (2, 3, 4)) / sum(told[n] for n in (2, 3, 4))
    assert 0.2 < solved < 0.4


def test_voting_among_demonstrators_helps_but_does_not_settle_it():
    rng = random.Random(0)
    single = voted = found = 0
    problems = TASK.problems(Split.VALIDATION, 300, 0)
    for g in problems:
        answers = [misread(read(g.problem.question), rng)[-1].split()[1] for _ in range(16)]
        single += answers[0] == g.answer
        voted += Counter(answers).most_common(1)[0][0] == g.answer
        found += g.answer in answers
    assert single + 45 < voted < found - 45


def test_value_data_hold_one_clean_solution_and_one_of_each_slip_a_problem():
    problems = TASK.problems(Split.TRAIN, 300, 0)
    valued = TASK.valued_steps(problems, 0)
    assert len(valued) == 1200
    for start, graded in enumerate(problems):
        clean, false, operation, answer = valued[4 * start : 4 * start + 4]
        total = len(clean.steps)
        assert clean.values == pytest.approx([k / total for k in range(1, total + 1)])
        assert clean.is_complete
        assert TASK.verify(graded, clean.steps) is Outcome.CORRECT
        for broken in (false, operation, answer):
            good = len(broken.steps) - 1
            assert broken.reachable == (*(True,) * good, False)
            assert broken.values[-1] == pytest.approx(max(0, (good - 1) / total + 1 / (total * (total - good + 1))))
        assert not parse_equation(false.steps[-1]).is_true
        assert parse_equation(operation.steps[-1]).is_true
        assert TASK.verify(graded, answer.steps) is Outcome.WRONG
        assert (false.is_complete, operation.is_complete, answer.is_complete) == (False, False, True)


def test_value_data_of_a_foreign_question_are_refused():
    with pytest.raises(ValueError, match="expected a generated question, got 'how many pens"):
        TASK.valued_steps([GradedProblem(Problem("p", "how many pens ?"), "3")], 0)


def test_questions_are_put_in_canonical_form():
    asked = "Tom has 3 boxes with 4 pens each. Then Tom gives 5 away.  How many pens are there now?"
    assert TASK.parse(asked) == QUESTION


@pytest.mark.parametrize(("question", "found"), [("tom has 3 cars and 100 pens", "'cars', '100'"), (" ", "nothing")])
def test_unknown_words_are_refused_by_name(question, found):
    with pytest.raises(ValueError, match=f"expected numbers up to 99 and words of the task, got {found}"):
        TASK.parse(question)


@pytest.mark.parametrize("operations", [(), (0,), (7,)])
def test_unusable_lengths_are_refused(operations):
    with pytest.raises(ValueError, match=r"arithmetic\.operations: expected lengths from 1 to 6"):
        Arithmetic(operations=operations)


def test_form_does_not_change_the_canonical_key_but_another_operation_does():
    one = ["6 * 4 = 24", "2 * 5 = 10", "24 - 10 = 14", "answer 14"]
    assert TASK.canonical(one) == TASK.canonical(["5 * 2 = 10", "4 * 6 = 24", *one[2:]])
    assert TASK.canonical(one) != TASK.canonical([*one[:3], "answer 15"])
    assert TASK.canonical(["12 - 5 = 7"]) != TASK.canonical(["5 - 12 = 7"])


def test_the_answer_is_the_number_of_the_last_step():
    task = Arithmetic()
    assert task.answer(["3 * 4 = 12", "answer 12"]) == task.answer(["answer 12"]) == "12"
    assert task.answer(["3 * 4 = 12"]) is task.answer([]) is None
