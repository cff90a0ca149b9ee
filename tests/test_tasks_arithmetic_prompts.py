"""Arithmetic with `synthesis`: problems are made and judged by whoever has learned its demonstrations."""

import random
import re
from collections import Counter
from dataclasses import asdict
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.types import Problem
from policy.tokenizer import build_tokenizer
from regrow.build import task_of
from regrow.compose import NO_OUTPUT, run_composed
from regrow.tasks.arithmetic import PROMPT_SHARE, Arithmetic
from regrow.tasks.arithmetic_backward import read_backward, turn_around
from regrow.tasks.arithmetic_paraphrases import PARAPHRASED
from regrow.tasks.arithmetic_prompts import PROMPTS, read_prompt, write_prompt
from regrow.tasks.arithmetic_synthesis import another_like, change_numbers, rephrase
from regrow.tasks.arithmetic_templates import PLAIN, clauses_of, read, write
from regrow.tasks.arithmetic_truth import parse_answer, steps_to_go
from regrow.tasks.equation import parse_equation
from regrow.tasks.split import split_of
from regrow.tasks.task import GradedProblem, Split

TASK = Arithmetic(operations=[3, 4, 5], synthesis=True)
SHOWN = TASK.demonstrations(6000, 0)
QUESTION = "tom has 3 boxes with 4 pens each . then tom gives 5 away . how many pens are there now ?"
BACKWARD = f"{QUESTION.replace('3', 'x', 1)} the answer is 7 . what is x ?"
STEPS = ("3 * 4 = 12", "12 - 5 = 7", "answer 7")
JUDGES = ("solved", "right")


def story_of(question):
    return read(question, PARAPHRASED) or read_backward(question, PARAPHRASED)


def asked(way):
    """The demonstrations of one way: the prompt's parts, and its answer."""
    beginning = PROMPTS[way].split("{")[0]
    return [(read_prompt(d.question), d.steps) for d in SHOWN if d.question.startswith(beginning)]


@st.composite
def stories(draw):
    rng = random.Random(draw(st.integers(0, 2**32)))
    operations = draw(st.integers(1, 6))
    return next(filter(None, (write(rng, operations, PARAPHRASED) for _ in range(10_000)))), rng


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["4e97652fb347f4f6", "8698032931c91d4e", "77222ba7622eacf1", "1706c8fa0377c9c6"]),
        (
            {"operations": [3, 4, 5], "synthesis": False},
            ["4e97652fb347f4f6", "f4163efcbaad2b4e", "33fbbbb990a21975", "66ef4a93583bc5fb"],
        ),
    ],
)
def test_without_synthesis_all_is_as_it_was_before_there_was_any(options, expected):
    task = Arithmetic(**options)
    problems = [task.problems(split, 200, 3) for split in Split]
    known = [(one.problem.id, one.problem.question, one.answer) for some in problems for one in some]
    made = (task.words(), task.demonstrations(2000, 5), known, task.valued_steps(problems[0], 2))
    assert [blake2b(repr(part).encode(), digest_size=8).hexdigest() for part in made] == expected


def test_without_synthesis_neither_prompts_nor_other_wordings_are_known():
    plain = Arithmetic()
    for text in (write_prompt("rephrase", QUESTION), "new problem", BACKWARD):
        with pytest.raises(ValueError, match="words of the task, got"):
            plain.parse(text)
    paraphrase = "tom has a total of 3 pens . tom uses up 2 of them . how many pens are there now ?"
    assert plain.solution(paraphrase) is plain.solution(BACKWARD) is None
    assert (TASK.solution(paraphrase), TASK.solution(BACKWARD)) == (1, 3)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_synthesis_is_on_or_off(value):
    with pytest.raises(ValueError, match=r"arithmetic\.synthesis: expected true or false, got"):
        Arithmetic(synthesis=value)


def test_the_configuration_of_synthesis_is_that_of_arithmetic_and_the_option():
    composed = {}
    for name in ("arithmetic", "arithmetic_synthesis"):
        run_composed("train", [f"task={name}", *NO_OUTPUT], lambda config, name=name: composed.update({name: config}))
    plain, synthesis = composed["arithmetic"], composed["arithmetic_synthesis"]
    assert task_of(synthesis).synthesis
    assert not task_of(plain).synthesis
    assert synthesis.task.options.pop("synthesis") is True
    assert asdict(synthesis) == asdict(plain)


def test_whatever_a_story_says_it_can_say_in_other_words():
    for sentences in (PARAPHRASED.openings, PARAPHRASED.events, PARAPHRASED.questions):
        assert len({s.words for s in sentences}) == len(sentences)
        assert min(Counter(s.effect for s in sentences).values()) >= 2
        for one in sentences:
            assert one.words.count("#") == len(one.ranges)
            assert all(o.ranges in (one.ranges, one.ranges[::-1]) for o in sentences if o.effect == one.effect)


@settings(deadline=None)
@given(stories())
def test_a_paraphrase_keeps_the_computation_and_no_sentence_name_or_thing(drawn):
    story, rng = drawn
    other = rephrase(story, rng)
    assert other.key == story.key
    before, after = (clauses_of(s.question, PARAPHRASED) for s in (story, other))
    assert all(
        a.sentence != b.sentence and set(a.numbers) == set(b.numbers) for a, b in zip(before, after, strict=True)
    )
    for words in ({"ann", "ben", "mia", "tom"}, {"apples", "books", "cards", "pens", "shells"}, {"bags", "boxes"}):
        assert not words & set(story.question.split()) & set(other.question.split())


def test_a_paraphrase_leaves_each_number_with_what_it_counts():
    story = read("tom has 6 boxes with 9 pens each . 5 of them are lost . how many pens are there now ?", PARAPHRASED)
    texts = {rephrase(story, random.Random(seed)).question for seed in range(20)}
    openings = {re.sub("apples|books|cards|shells", "ITEM", text.split(" . ")[0]) for text in texts}
    assert {"there are 9 ITEM in each of 6 bags"} < openings
    assert all("9 ITEM" in opening for opening in openings)


@settings(deadline=None)
@given(stories())
def test_other_numbers_leave_the_sentences_and_make_another_problem(drawn):
    story, rng = drawn
    other = next(filter(None, (change_numbers(story, rng) for _ in range(10_000))))
    assert re.sub("[0-9]+", "#", other.question) == re.sub("[0-9]+", "#", story.question)
    assert other.key != story.key
    assert all(1 <= operation.equation.result <= 99 for operation in other.operations)


@settings(deadline=None)
@given(stories())
def test_a_problem_like_another_is_as_long_and_mostly_of_its_effects(drawn):
    story, rng = drawn
    others = [next(filter(None, (another_like(story, rng) for _ in range(10_000)))) for _ in range(20)]
    effects = Counter(clause.sentence.effect for clause in clauses_of(story.question, PARAPHRASED))
    kept = [
        sum((effects & Counter(c.sentence.effect for c in clauses_of(other.question, PARAPHRASED))).values())
        for other in others
    ]
    assert all(len(other.operations) == len(story.operations) and other.key != story.key for other in others)
    assert sum(kept) > 0.6 * len(others) * effects.total()


@settings(deadline=None)
@given(stories())
def test_a_backward_question_is_read_as_the_way_back_to_the_first_number(drawn):
    story, _ = drawn
    backward = turn_around(story)
    assert read_backward(backward.question, PARAPHRASED) == backward
    assert backward.answer == story.numbers[0]
    assert len(backward.operations) == len(story.operations)
    for index, operation in enumerate(backward.operations):
        assert operation.equation.is_true
        for value, source in (
            (operation.equation.left, operation.left_from),
            (operation.equation.right, operation.right_from),
        ):
            if source is None:
                assert value in backward.numbers
            else:
                assert source < index
                assert value == backward.operations[source].equation.result


def test_a_backward_question_is_solved_step_by_step():
    steps = ["7 + 5 = 12", "12 / 4 = 3", "answer 3"]
    assert TASK.truth(GradedProblem(Problem("p", BACKWARD), "3"), steps).reachable == (True, True, True)
    assert TASK.truth(GradedProblem(Problem("p", BACKWARD), "3"), ["3 * 4 = 12"]).reachable == (False,)
    product = "tom has x pens . 2 friends take 5 each . how many pens are there now ? the answer is 8 . what is x ?"
    assert read_backward(product, PLAIN).key == "5 * 2 = 10 ; 10 + 8 = 18"


@pytest.mark.parametrize(
    "question",
    [
        BACKWARD.replace("is 7", "is 8"),
        BACKWARD.replace("4 pens", "x pens"),
        BACKWARD.replace("x boxes", "3 boxes"),
        BACKWARD.replace("x boxes", "3 boxes").replace("4 pens", "x pens"),
        f"{QUESTION} the answer is 7 . what is x ?",
        BACKWARD.removesuffix(" ?"),
    ],
)
def test_what_no_x_answers_is_no_problem(question):
    assert TASK.solution(question) is None
    assert TASK.parse(question) == question


def test_a_told_answer_is_a_number_as_the_task_writes_it():
    assert TASK.solution(BACKWARD.replace("is 7", "is 07")) is None


def test_prompts_are_a_documented_share_and_each_way_occurs_as_often():
    counts = {way: len(asked(way)) for way in PROMPTS}
    backward = sum("what is x" in d.question and read_prompt(d.question) is None for d in SHOWN)
    assert sum(counts.values()) + backward == pytest.approx(PROMPT_SHARE * len(SHOWN), rel=0.1)
    assert [*counts.values(), backward] == pytest.approx([PROMPT_SHARE * len(SHOWN) / 8] * 8, rel=0.25)


def test_every_problem_in_the_base_data_is_a_training_problem():
    found = 0
    for d in SHOWN:
        prompt = read_prompt(d.question)
        said = [prompt.question if prompt else d.question, *(d.steps if prompt else ())]
        for question in filter(lambda text: text not in ("", "yes", "no"), said):
            story = story_of(question)
            forward = read(re.sub(r"\bx\b", str(story.answer), question).partition(" the answer is")[0], PARAPHRASED)
            assert {split_of(story.key), split_of(forward.key)} == {Split.TRAIN}
            found += 1
    assert found > len(SHOWN)


def test_what_is_held_out_is_told_in_any_words_and_in_both_directions():
    for split in Split:
        stories = [story_of(g.problem.question) for g in TASK.problems(split, 200, 0)]
        told = {}
        for story in stories:
            paraphrase = rephrase(story, random.Random(0))
            assert TASK.is_training(story.question) == TASK.is_training(paraphrase.question) == (split is Split.TRAIN)
            backward = turn_around(story)
            told[split_of(backward.key)] = TASK.is_training(backward.question)
        assert told == {other: split is other is Split.TRAIN for other in Split}
    assert TASK.is_training("tom has pens . how many pens ?")
    assert not any(TASK.is_training(write_prompt(way, QUESTION, STEPS)) for way in PROMPTS)


def test_problems_of_synthesis_are_distinct_from_all_that_is_shown():
    held_out = {story_of(g.problem.question).key for g in TASK.problems(Split.TEST, 300, 0)}
    prompts = [read_prompt(d.question) for d in SHOWN]
    shown = {
        story_of(p.question if p else d.question).key for d, p in zip(SHOWN, prompts, strict=True) if not p or p[0]
    }
    assert len(held_out) == 300
    assert not held_out & shown


def test_new_questions_answer_what_was_asked():
    for prompt, (made,) in asked("rephrase"):
        assert story_of(made).key == story_of(prompt.question).key
        assert made != prompt.question
    for prompt, (made,) in asked("numbers"):
        assert re.sub("[0-9]+", "#", made) == re.sub("[0-9]+", "#", prompt.question)
    for prompt, (made,) in asked("backward"):
        assert story_of(made) == turn_around(story_of(prompt.question))
    for _, (made,) in (*asked("new"), *asked("like")):
        assert len(story_of(made).operations) in TASK.operations
        assert TASK.solution(made) not in story_of(made).numbers


@pytest.mark.parametrize("way", JUDGES)
def test_verdicts_are_what_the_story_says_and_half_of_them_yes(way):
    verdicts = Counter()
    backward = 0
    for prompt, (verdict,) in asked(way):
        steps = prompt.steps.split(" ; ")
        story = story_of(prompt.question)
        left = steps_to_go(story, steps)[-1]
        assert (verdict == "yes") == (left in (0, 1))
        assert all((parse_equation(step) or parse_answer(step)) is not None for step in steps)
        assert way == "solved" or parse_answer(steps[-1]) is not None
        verdicts[verdict] += 1
        backward += "what is x" in prompt.question
    assert verdicts["yes"] == pytest.approx(verdicts.total() / 2, rel=0.2)
    assert backward == pytest.approx(verdicts.total() / 4, rel=0.3)


def test_solved_is_asked_of_unfinished_solutions_too():
    left = [steps_to_go(story_of(prompt.question), prompt.steps.split(" ; "))[-1] for prompt, _ in asked("solved")]
    assert left.count(0) == pytest.approx(left.count(1), rel=0.5)
    assert sum(steps is not None and steps > 1 for steps in left) > len(left) / 50


def test_the_tokenizer_knows_every_word():
    tokenizer = build_tokenizer(TASK.words())
    assert len(set(TASK.words())) == len(TASK.words())
    assert TASK.words()[: len(Arithmetic().words())] == Arithmetic().words()
    texts = sorted({text for d in SHOWN for text in (d.question, *d.steps)})
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == text


def test_all_that_is_shown_is_canonical():
    for d in SHOWN[:500]:
        assert TASK.parse(d.question) == d.question


@pytest.mark.parametrize("way", PROMPTS)
def test_prompts_are_accepted_and_are_no_problems(way):
    prompt = write_prompt(way, QUESTION, STEPS)
    assert TASK.parse(prompt.upper().replace(" : ", ": ").replace(" ; ", ";")) == prompt
    assert TASK.solution(prompt) is None
    assert TASK.truth(GradedProblem(Problem("p", prompt), "7"), ["answer 7"]) is None


@pytest.mark.parametrize(
    "text",
    ["rephrase :", "rephrase", f"rephrase {QUESTION}", f"rephrase : rephrase : {QUESTION}", f"{QUESTION} rephrase",
     "another problem", "new problem : tom", f"is it right ? {QUESTION}", f"is it right ? {QUESTION} ;",
     f"rephrase : {QUESTION} ; answer 7", "yes", "tom + 3", f"is it right ? {QUESTION} ; seven"],
)  # fmt: skip
def test_words_of_prompts_are_no_words_of_problems(text):
    with pytest.raises(ValueError, match="words of the task, got"):
        TASK.parse(text)


def test_a_question_gone_wrong_is_accepted_but_has_no_solution():
    wrong = "tom has pens . a friend x 3 . how many pens ?"
    assert TASK.parse(wrong) == wrong
    assert TASK.solution(wrong) is None
    assert TASK.solution(QUESTION) == 7


def test_first_values_are_made_of_problems_in_all_wordings():
    problems = TASK.problems(Split.TRAIN, 100, 0)
    assert any(read(g.problem.question) is None for g in problems)
    valued = TASK.valued_steps(problems, 0)
    assert len(valued) == 400
    assert all(v.reachable == (True,) * len(v.steps) for v in valued[::4])
