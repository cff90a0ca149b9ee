"""Problem files: what is read, and the one line that a broken file gets."""

import json

import pytest

from mcts.errors import InputError
from regrow.tasks import make_task
from regrow.tasks.problems import read_problems

TASK = make_task("countdown")
GOOD = {"problem": "2 3 5 -> 13", "answer": 13, "id": "a"}


def written(tmp_path, *lines):
    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_question_is_another_name_for_problem_and_ids_are_made_from_the_question(tmp_path):
    path = written(tmp_path, GOOD, {"question": "5 3 2 -> 13", "answer": "13"}, "")
    first, second = read_problems(path, TASK)
    assert first.problem.id == "a"
    assert first.problem.question == second.problem.question == "2 3 5 -> 13"
    assert second.problem.id.startswith("countdown-")
    assert (first.answer, second.answer) == ("13", "13")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"problem": "2 3 -> 5"', "not JSON"),
        ([1, 2], "a JSON list"),
        ({"answer": 5}, "no problem or question"),
        ({"problem": "2 3 -> 5"}, "no answer"),
        ({"problem": "2 3 -> 5", "answer": {}}, "answer is a dict"),
        ({"problem": "two and three", "answer": 5}, "expected"),
    ],
)
def test_a_broken_line_is_named_with_file_and_number(tmp_path, line, said):
    path = written(tmp_path, GOOD, line)
    with pytest.raises(InputError, match=said) as caught:
        read_problems(path, TASK)
    assert f"{path}:2: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equal_ids_an_empty_file_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(InputError, match="same id 'a'"):
        read_problems(written(tmp_path, GOOD, GOOD), TASK)
    with pytest.raises(InputError, match="no problems"):
        read_problems(written(tmp_path, ""), TASK)
    with pytest.raises(InputError, match="cannot be read"):
        read_problems(tmp_path / "absent.jsonl", TASK)


def test_a_search_needs_no_answers(tmp_path):
    path = written(tmp_path, {"problem": "2 3 5 -> 13"})
    assert read_problems(path, TASK, needs_answers=False)[0].answer == ""
