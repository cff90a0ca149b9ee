"""`regrow search` with engines that are functions: what is asked, how answers come out, what a terminal shows."""

import io
import json
import os
import signal
import sys
from pathlib import Path
from threading import Event, Timer

import pyarrow.parquet as pq
import pytest
from fakes import ScriptedPolicy, TableScorer
from rich.console import Console

from mcts.seeds import seed_of
from mcts.types import Step, StepEnd
from regrow import answering, live
from regrow.cli import DONE, INTERRUPTED, UNUSABLE, main

QUESTIONS = ["3 4 -> 7", "5 9 -> 4", "2 8 -> 10", "3 4 -> 7"]
SOLUTIONS = ["4 + 3 = 7 : 7", "9 - 5 = 4 : 4", "8 + 2 = 10 : 10", "4 + 3 = 7 : 7"]


def solved(request):
    """Two ways to put two numbers together, drawn by chance."""
    low, high = sorted(map(int, request.state.problem.question.partition(" ->")[0].split()))
    ways = [f"{high} + {low} = {high + low} : {high + low}", f"{high} - {low} = {high - low} : {high - low}"]
    texts = [ways[seed_of(request.seed, i) % 2] for i in range(request.width)]
    return tuple((Step(text, (1, 2, 3), (-0.1,) * 3, StepEnd.FINAL),) for text in texts)


class Stuck(ScriptedPolicy):
    """Answers the first requests, then computes until it is let go. `meanwhile` is done 0.6 s after it got stuck."""

    def __init__(self, meanwhile=lambda: None):
        super().__init__(solved)
        self.is_first, self.go, self.meanwhile = True, Event(), meanwhile

    def poll(self, timeout_s):
        if not self.is_first and timeout_s > 0 and not self.go.is_set():
            Timer(0.6, self.meanwhile).start()
            Timer(0.8, self.go.set).start()
            self.go.wait(20.0)
        self.is_first = False
        return super().poll(timeout_s)


@pytest.fixture
def engines(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    engines = {}
    fresh(engines)
    monkeypatch.setattr(answering, "policy_of", lambda *_: engines["policy"])
    monkeypatch.setattr(answering, "scorer_of", lambda *_: engines["scorer"])
    return engines


def fresh(engines):
    engines |= {"policy": ScriptedPolicy(solved), "scorer": TableScorer(lambda *_: 0.625)}


def search(*words):
    return main(["search", *words, "task.options.numbers=[2]", "policy.path=p", "prm.path=p", "budget.tokens=30"])


def solutions(lines):
    return [json.loads(line)["solution"] for line in lines.splitlines()]


def test_a_question_is_answered_and_nothing_else_is_said_on_standard_output(engines, capsys):
    assert search(QUESTIONS[0]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [QUESTIONS[0], f"  {SOLUTIONS[0]}", "score 0.625, accepted by the task's checker"]
    assert lines[3].startswith("rollout_branching: ")
    assert len(lines) == 4


@pytest.mark.parametrize("words", [["-"], []])
def test_lines_of_standard_input_are_answered_in_their_order(engines, monkeypatch, tmp_path, capsys, words):
    (tmp_path / "in").write_text("\n".join(QUESTIONS[:2]) + "\n\n" + "\n".join(QUESTIONS[2:]))
    with (tmp_path / "in").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert search(*words, "output=json") == DONE
    out = capsys.readouterr().out
    assert solutions(out) == [[solution] for solution in SOLUTIONS]
    answers = [json.loads(line) for line in out.splitlines()]
    assert answers[0]["id"] == answers[3]["id"] != answers[1]["id"]
    fresh(engines)
    assert search(QUESTIONS[1], "output=json") == DONE  # alone, in another start: the same
    alone = json.loads(capsys.readouterr().out)
    for answer in (alone, answers[1]):
        del answer["spent"]["seconds"]
    assert alone == answers[1]


def test_a_pipe_is_standard_input_and_a_device_is_not(engines, monkeypatch, capsys):
    reads, writes = os.pipe()
    os.write(writes, b"3 4 -> 7\n")
    os.close(writes)
    with os.fdopen(reads) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert search("output=json") == DONE
    assert solutions(capsys.readouterr().out) == [[SOLUTIONS[0]]]
    with Path(os.devnull).open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert search() == UNUSABLE


def test_answers_in_a_parquet_file_are_those_in_json_lines(engines, monkeypatch, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"question": one}) + "\n" for one in QUESTIONS[:3]))
    assert search("problems=in.jsonl", "output=json", "tree=true") == DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fresh(engines)
    assert search("problems=in.jsonl", "output=parquet", "out=out.parquet", "tree=true") == DONE
    assert capsys.readouterr().out == ""
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for row in (*rows, *lines):
        del row["spent"]["seconds"]
        for node in row["tree"]:
            node["prior"] = pytest.approx(node["prior"])
    assert rows == lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.parquet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["3 4 -> 7", "output=parquet"], "output=parquet: no file, expected out=FILE"),
        (["3 4 -> 7", "out=a.parquet"], "out=a.parquet with output=text: expected output=parquet"),
        (["3 4 -> 7", "output=parquet", "out=no/a.parquet"], "out=no/a.parquet: no such folder"),
        (["3 4 -> 7", "output=yaml"], "expected one of text, json, parquet"),
        (["-"], "standard input:2: 'two'"),
        (["-", "problems=in.jsonl"], "both a question and problems=FILE"),
        (["3 4 -> 7", "search=auto", "search.split=0.9"], "expected split up to agreement"),
        (["3 4 -> 7", "dist=local"], "dist=local: is for train, evaluate, imagine and generate"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(engines, monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "stdin", io.StringIO("3 4 -> 7\ntwo\n"))
    assert search(*words) == UNUSABLE
    told = capsys.readouterr()
    assert said in told.err
    assert (told.err.count("\n"), told.out) == (1, "")


def test_an_empty_standard_input_is_no_question(engines, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n \n"))
    assert search("-") == UNUSABLE
    assert "standard input: no question" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["json", "parquet"])
def test_an_interrupted_search_gives_the_best_answers_so_far(engines, monkeypatch, tmp_path, capsys, output):
    engines["policy"] = Stuck(meanwhile=lambda: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(QUESTIONS)))
    out = ["out=best.parquet"] if output == "parquet" else []
    # without a checker nothing is solved, and the second draw is waited for
    assert search("-", f"output={output}", "checker=false", "scheduler.trees_at_once=2", *out) == INTERRUPTED
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "regrow: interrupted"
    rows = pq.read_table(tmp_path / "best.parquet").to_pylist() if out else list(map(json.loads, told.out.splitlines()))
    assert [row["question"] for row in rows] == QUESTIONS[:2]  # the others had not begun
    assert all(row["solution"] for row in rows)


def test_one_search_that_was_given_up_is_told_and_all_are_an_error(engines, monkeypatch, capsys):
    engines["scorer"] = TableScorer(lambda question, *_: 2.0 if question == QUESTIONS[1] else 0.5)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(QUESTIONS)))
    assert search("-", "output=json") == DONE
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 4
    assert "1 of 4 trees were given up; the first: rollout_branching/countdown-" in " ".join(told.err.split())
    engines["policy"] = ScriptedPolicy(solved)
    assert search(QUESTIONS[1]) == UNUSABLE


def test_a_terminal_shows_how_searches_stand_and_leaves_answers_alone(engines, monkeypatch, capsys):
    engines["policy"] = Stuck()
    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(live, "console", screen)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(QUESTIONS)))
    assert search("-", "output=json", "checker=false", "scheduler.trees_at_once=2") == DONE
    shown = screen.file.getvalue()
    assert "0 of 4 searched" in shown
    assert "tokens/s" in shown
    row = next(line for line in shown.splitlines() if QUESTIONS[0] in line)
    assert "3 tokens" in row
    assert "0.625" in row
    assert " : " in row
    assert len(solutions(capsys.readouterr().out)) == 4
