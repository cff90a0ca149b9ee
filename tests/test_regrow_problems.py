"""Problem files: what is read, and the one line that a broken file gets."""

import json
import os
import subprocess
import sys
import tracemalloc
from itertools import islice

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mcts.errors import InputError
from regrow.tasks import make_task
from regrow.tasks.problems import Columns, iter_problems, read_problems

TASK = make_task("countdown")
GOOD = {"problem": "2 3 5 -> 13", "answer": 13, "id": "a"}


def written(tmp_path, *lines):
    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return str(path)


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
        ("[" * 100_000, "nested too deeply|not JSON"),
        ({"problem": ["2 3 -> 5"], "answer": 5}, "problem is a list, expected a text"),
        ({"problem": " ", "answer": 5}, "problem is an empty text"),
        ({"problem": "2 3 -> 5", "answer": True}, "answer is a bool"),
        ({"problem": "2 3 -> 5", "answer": ""}, "no answer or solution"),
        ({"prompt": "2 3 -> 5", "target": 5}, "the row has prompt, target"),
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
    with pytest.raises(InputError, match="same id as problem 1, 'a'"):
        read_problems(written(tmp_path, GOOD, GOOD), TASK)
    with pytest.raises(InputError, match="no problems"):
        read_problems(written(tmp_path, ""), TASK)
    with pytest.raises(InputError, match="cannot be read"):
        read_problems(str(tmp_path / "absent.jsonl"), TASK)


def test_a_search_needs_no_answers(tmp_path):
    path = written(tmp_path, {"problem": "2 3 5 -> 13"})
    assert read_problems(path, TASK, needs_answers=False)[0].answer == ""


# --- other sources ----------------------------------------------------------------------------------------------------

WORDS = make_task("file")
ROWS = [{"prompt": f"What is {n} + {n}?", "target": 2 * n, "key": f"p{n}", "level": n} for n in range(5)]
RENAMED = Columns(problem="prompt", answer="target", id="key")


def test_parquet_and_a_folder_of_a_data_set_are_read_by_the_columns_that_are_named(tmp_path):
    path = tmp_path / "set" / "train.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    for source in (str(path), str(path.parent)):
        found = read_problems(source, WORDS, RENAMED)
        assert [(one.problem.id, one.answer, one.level) for one in found] == [
            (f"p{n}", str(2 * n), f"{n}") for n in range(5)
        ]
    with pytest.raises(InputError, match=r"row 1: no question, expected a text there; the row has prompt, target, key"):
        read_problems(str(path), WORDS, Columns(problem="question"))


def test_a_solution_that_ends_in_its_answer_is_a_gold_answer(tmp_path):
    lines = [{"question": "q", "answer": "2 + 2 = 4\n#### 4"}, {"problem": "p", "solution": r"so \boxed{\frac12}."}]
    assert [one.answer for one in read_problems(written(tmp_path, *lines), WORDS)] == ["4", r"\frac12"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("absent.parquet", "absent.parquet: cannot be read"),
        ("notes.txt", "no source of problems, expected a .jsonl or .parquet file, or a data set as OWNER/NAME"),
        ("nobody/has-this-data-set", "cannot be loaded"),
    ],
)
def test_a_source_that_is_none_is_told_in_a_line(source, said, monkeypatch):
    for settings in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=said) as caught:
        read_problems(source, WORDS)
    assert "\n" not in str(caught.value)


def test_a_broken_parquet_file_and_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    (tmp_path / "a.jsonl").write_bytes(b'{"problem": "a", "answer": 1}\n\xff\xfe\n')
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read"):
        read_problems(str(tmp_path / "a.parquet"), WORDS)
    with pytest.raises(InputError, match="not UTF-8"):
        read_problems(str(tmp_path / "a.jsonl"), WORDS)


def test_a_file_of_any_length_streams_in_memory_that_stays(tmp_path):
    """Gigabytes, as far as a reader can tell: a pipe that a process writes to as it is read."""
    pipe = tmp_path / "endless.jsonl"
    os.mkfifo(pipe)
    text = "x" * 1000
    code = (
        f"import json\nout = open({str(pipe)!r}, 'w')\n"
        f"for n in range(10**9): out.write(json.dumps({{'problem': f'{{n}} {text}', 'answer': n}}) + chr(10))"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        problems = iter_problems(str(pipe), WORDS)
        tracemalloc.start()
        for _ in islice(problems, 2_000):
            pass
        before = tracemalloc.get_traced_memory()[0]
        for _ in islice(problems, 20_000):  # 20 MB
            pass
        grown = tracemalloc.get_traced_memory()[0] - before
        assert grown < 1_000_000
    finally:
        tracemalloc.stop()
        problems.close()
        writer.kill()
        writer.wait()


def test_the_same_id_is_seen_however_far_back(tmp_path):
    lines = [{"problem": f"q{n}", "answer": 1, "id": n} for n in range(5000)]
    with pytest.raises(InputError, match=r":5001: the same id as problem 18, '17'"):
        read_problems(written(tmp_path, *lines, {"problem": "other", "answer": 1, "id": 17}), WORDS)
