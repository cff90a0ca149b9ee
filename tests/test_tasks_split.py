from collections import Counter

import pytest

from regrow.tasks import make_task
from regrow.tasks.arithmetic_templates import read
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import Split

TASKS = ("arithmetic", "countdown")


def test_an_unknown_task_is_refused_with_the_names_of_those_that_exist():
    with pytest.raises(ValueError, match="one of arithmetic, countdown, file, game24, gsm8k, math, got 'chess'"):
        make_task("chess")


def test_an_unknown_option_is_refused_with_the_names_of_those_that_exist():
    with pytest.raises(ValueError, match="among numbers, largest, limit, got 'size'"):
        make_task("countdown", size=3)


def test_an_option_of_the_wrong_type_is_refused():
    with pytest.raises(ValueError, match=r"task countdown: .*, expected options of other types"):
        make_task("countdown", numbers=5)


def test_splits_ids_and_streams_are_the_same_in_every_process():
    assert [split_of(f"problem {i}") for i in (4, 5, 12)] == [Split.TRAIN, Split.VALIDATION, Split.TEST]
    assert problem_id("countdown", "2 5 7 9 -> 24") == "countdown-0026180c8a29"
    assert stream("a", 1).random() == stream("a", "1").random() != stream("a1").random()


def test_the_splits_hold_80_10_and_10_per_cent():
    shares = Counter(split_of(str(i)) for i in range(20_000))
    assert shares[Split.TRAIN] / 20_000 == pytest.approx(0.75, abs=0.01)
    assert shares[Split.VALIDATION] / 20_000 == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("name", TASKS)
def test_no_problem_of_one_split_is_in_another(name):
    task = make_task(name)
    train = {g.problem.question for g in task.problems(Split.TRAIN, 3000, 1)}
    validation = {g.problem.question for g in task.problems(Split.VALIDATION, 300, 2)}
    test = {g.problem.question for g in task.problems(Split.TEST, 300, 3)}
    assert (len(train), len(validation), len(test)) == (3000, 300, 300)
    assert not train & validation
    assert not train & test
    assert not validation & test


@pytest.mark.parametrize("name", [*TASKS, "game24"])
def test_a_question_that_anybody_made_may_be_trained_on_only_where_the_task_would(name):
    task = make_task(name)
    for split in Split:
        found = [task.is_training(graded.problem.question) for graded in task.problems(split, 100, 4)]
        assert found == [split is Split.TRAIN] * 100


def test_a_story_in_other_words_belongs_to_the_split_of_its_computation():
    task = make_task("arithmetic")
    rest = "pens . then tom buys 5 more . how many pens are there now ?"
    found = [[task.is_training(f"tom {verb} {n} {rest}") for n in range(2, 60)] for verb in ("has", "starts with")]
    assert found[0] == found[1]
    assert set(found[0]) == {True, False}
    assert task.is_training("pens pens how many")


def test_no_arithmetic_test_problem_is_a_training_problem_in_other_words():
    task = make_task("arithmetic")
    keys = {
        split: {read(g.problem.question).key for g in task.problems(split, 300, 0)}
        for split in (Split.TRAIN, Split.TEST)
    }
    demonstrated = {read(d.question).key for d in task.demonstrations(3000, 0)}
    assert len(keys[Split.TRAIN]) == len(keys[Split.TEST]) == 300
    assert not keys[Split.TEST] & (keys[Split.TRAIN] | demonstrated)


def test_countdown_demonstrations_show_training_problems_only():
    task = make_task("countdown")
    assert {split_of(d.question) for d in task.demonstrations(3000, 0)} == {Split.TRAIN}


@pytest.mark.parametrize("name", TASKS)
def test_everything_generated_is_a_function_of_its_arguments(name):
    one, other = make_task(name), make_task(name)
    problems = one.problems(Split.TRAIN, 50, 7)
    assert problems == other.problems(Split.TRAIN, 50, 7)
    assert problems != one.problems(Split.TRAIN, 50, 8)
    assert one.demonstrations(50, 7) == other.demonstrations(50, 7) != one.demonstrations(50, 8)
    assert one.valued_steps(problems, 7) == other.valued_steps(problems, 7) != one.valued_steps(problems, 8)


@pytest.mark.parametrize("name", TASKS)
def test_more_problems_begin_with_the_same_ones(name):
    task = make_task(name)
    assert task.problems(Split.TEST, 40, 0)[:15] == task.problems(Split.TEST, 15, 0)


@pytest.mark.parametrize("name", TASKS)
def test_ids_are_distinct_and_name_the_task(name):
    ids = [g.problem.id for g in make_task(name).problems(Split.TRAIN, 1000, 0)]
    assert len(set(ids)) == 1000
    assert all(i.startswith(f"{name}-") and len(i) == len(name) + 13 for i in ids)


@pytest.mark.parametrize("name", TASKS)
def test_every_text_is_made_of_the_words_of_the_task(name):
    task = make_task(name)
    words = set(task.words())
    assert len(words) == len(task.words())
    problems = task.problems(Split.TRAIN, 300, 0)
    shown = [*task.demonstrations(1000, 0), *task.valued_steps(problems, 0)]
    texts = [text for item in shown for text in (item.question, *item.steps)]
    texts += [text for g in problems for text in (g.problem.question, g.answer)]
    assert {word for text in texts for word in text.split(" ")} <= words


@pytest.mark.parametrize("name", TASKS)
def test_generated_questions_are_canonical(name):
    task = make_task(name)
    for graded in task.problems(Split.VALIDATION, 100, 0):
        assert task.parse(graded.problem.question) == graded.problem.question


@pytest.mark.parametrize(("name", "option"), [("countdown", {"numbers": (3,)}), ("arithmetic", {"operations": (1,)})])
def test_asking_for_more_problems_than_exist_says_how_many_there_are(name, option):
    task = make_task(name, **option)
    with pytest.raises(ValueError, match=rf"^{name}: expected count <= [1-9][0-9]*, all the test problems .*100000$"):
        task.problems(Split.TEST, 100_000, 0)


@pytest.mark.parametrize("name", TASKS)
def test_a_negative_count_is_refused(name):
    with pytest.raises(ValueError, match="expected count >= 0, got -1"):
        make_task(name).problems(Split.TRAIN, -1, 0)
