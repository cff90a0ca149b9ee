"""GSM8K, MATH and own files as tasks: splits, gold answers, grading, and the prompts they are asked with."""

import json
from itertools import combinations

import pytest

from mcts.errors import InputError
from mcts.types import Outcome, Problem
from regrow.build import prompt_of, task_of
from regrow.compose import NO_OUTPUT, run_composed
from regrow.tasks import embedded, make_task
from regrow.tasks.task import GradedProblem, Split


def written(path, count):
    rows = [{"question": f"What is {n} + {n}?", "answer": f"{n} + {n} = {2 * n}\n#### {2 * n}"} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def all_of(task, split):
    with pytest.raises(ValueError, match="all the") as told:
        task.problems(split, 10_000, 0)
    count = int(str(told.value).split("count <= ")[1].split(",")[0])
    return task.problems(split, count, 0)


def test_what_may_be_trained_on_is_told_as_the_source_is_split(tmp_path):
    source = written(tmp_path / "a.jsonl", 300)
    for task in (make_task("file", train=source), make_task("file", train=source, test=source)):
        for split in (Split.TRAIN, Split.VALIDATION):
            questions = [graded.problem.question for graded in all_of(task, split)]
            assert {task.is_training(question) for question in questions} == {split is Split.TRAIN}


def test_splits_of_one_source_are_disjoint_and_whole(tmp_path):
    task = make_task("file", train=written(tmp_path / "a.jsonl", 300))
    parts = {split: {one.problem.question for one in all_of(task, split)} for split in Split}
    assert all(not one & other for one, other in combinations(parts.values(), 2))
    assert sum(map(len, parts.values())) == 300
    assert all(parts.values())


def test_a_test_set_of_its_own_is_tested_on_whole_and_never_trained_on(tmp_path):
    task = make_task("gsm8k", train=written(tmp_path / "a.jsonl", 300), test=written(tmp_path / "b.jsonl", 40))
    parts = {split: len(all_of(task, split)) for split in Split}
    assert parts[Split.TEST] == 40
    assert parts[Split.TRAIN] + parts[Split.VALIDATION] == 300
    assert 0 < parts[Split.VALIDATION] < 100


def test_more_problems_begin_with_the_same_ones_and_another_seed_with_others(tmp_path):
    task = make_task("file", train=written(tmp_path / "a.jsonl", 300))
    assert task.problems(Split.TRAIN, 50, 1)[:20] == task.problems(Split.TRAIN, 20, 1)
    assert task.problems(Split.TRAIN, 20, 2) != task.problems(Split.TRAIN, 20, 1)


def test_without_a_source_there_are_no_problems():
    with pytest.raises(ValueError, match="problems=FILE"):
        make_task("file").problems(Split.TRAIN, 1, 0)
    with pytest.raises(InputError, match="has no policy or PRM of its own"):
        embedded(make_task("file"))


@pytest.mark.parametrize(
    ("steps", "outcome", "answer"),
    [
        (["2 and 2 make 4.", r"So \boxed{4.0}."], Outcome.CORRECT, "4"),
        (["#### 4"], Outcome.CORRECT, "4"),
        ([r"\boxed{5}"], Outcome.WRONG, "5"),
        (["It is 4."], Outcome.UNPARSED, None),
        ([], Outcome.UNPARSED, None),
    ],
)
def test_a_solution_is_graded_by_its_final_answer(steps, outcome, answer):
    task = make_task("gsm8k")
    assert task.verify(GradedProblem(Problem("p", "q"), "4"), steps) is outcome
    assert task.answer(steps) == answer


def test_an_own_rule_finds_the_answer():
    task = make_task("file", answers=[r"answer: (\S+)"])
    assert task.answer(["The answer: 7 it is"]) == "7"
    with pytest.raises(ValueError, match="expected a regular expression with a group"):
        make_task("file", answers=["answer"])


def test_solutions_that_differ_in_white_space_and_case_are_one():
    task = make_task("file")
    assert task.canonical(["So  it", "IS 4"]) == task.canonical(["so it is", "4"])
    assert task.canonical(["a"]) != task.canonical(["b"])


@pytest.mark.parametrize("name", ["gsm8k", "math", "file", "game24"])
def test_real_tasks_are_asked_in_chat_and_end_with_their_answer(name):
    said = {}

    def job(config):
        said["prompt"], said["task"] = prompt_of(config), task_of(config)

    run_composed("search", [*NO_OUTPUT, f"task={name}"], job)
    prompt = said["prompt"]
    assert prompt.chat
    last = "Answer: (5 * (10 - 4)) - 6" if name == "game24" else r"so \boxed{4}."
    assert prompt.is_last(last)
    assert not prompt.is_last("10 - 4 = 6")
    assert said["task"].answer([last]) is not None


def test_few_shot_examples_end_as_they_ask_to():
    said = {}

    def job(config):
        said["prompt"] = prompt_of(config)

    run_composed("search", [*NO_OUTPUT, "task=gsm8k", "prompt=few_shot"], job)
    prompt = said["prompt"]
    text = prompt.render("Why?")
    assert text.endswith("Question: Why?\nAnswer:")
    for example in text.split("Question: ")[1:-1]:
        steps = example.strip().split("\n")[1:]
        assert prompt.is_last(steps[-1])
        assert not any(prompt.is_last(step) for step in steps[:-1])
