"""`regrow generate`: problems in, a data set out; killed, gone on with, repeated; and what is left out of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from threading import Event, Thread
from types import SimpleNamespace

import datasets
import duckdb
import pandas as pd
import pytest
from tiny_run import MODELS

from mcts.types import Outcome
from regrow.cli import UNUSABLE, main
from regrow.compose import composed
from regrow.contamination import Contamination
from regrow.dist.fleet import fleet_of
from regrow.dist.settings import Dist
from regrow.dist.worker import Report
from regrow.generate.journals import path_of, set_apart
from regrow.generate.judges import Judges
from regrow.generate.maker import Maker
from regrow.generate.plan import Plan
from regrow.generate.reading import Reading
from regrow.generate.selection import Selection
from regrow.generate.solutions import difficulty_of
from regrow.tasks import make_task
from regrow.tasks.task import Split
from regrow.trace_store import read_trees

SMALL = [
    *MODELS,
    "search=best_of_n",
    "count=60",
    "problems_per_shard=16",
    "scheduler.trees_at_once=8",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("generate") / "whole"
    assert main(["generate", *SMALL, f"run.dir={folder}", f"cache={cache}"]) == 0
    return folder


def shards(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.glob("shards/*/*.parquet"))
    }


def test_a_data_set_is_opened_by_datasets_pandas_and_duckdb(made):
    solutions = datasets.load_dataset(str(made), split="train")
    frame = pd.concat(pd.read_parquet(path) for path in sorted(made.glob("shards/*/solutions.parquet")))
    ((counted,),) = duckdb.sql(f"SELECT count(*) FROM '{made}/shards/*/solutions.parquet'").fetchall()
    assert 0 < len(solutions) == len(frame) == counted
    assert solutions.column_names[:3] == ["problem_id", "problem", "gold"]
    assert datasets.load_dataset(str(made), "problems", split="train").num_rows == 60
    task = make_task("countdown", numbers=[2, 3])
    problems = {one.problem.id: one for one in task.problems(Split.TRAIN, 60, 0)}
    for row in solutions:
        assert task.verify(problems[row["problem_id"]], row["steps"]) is Outcome.CORRECT
        assert row["prompt"] == row["problem"] + "\n"
        assert row["completion"] == "\n".join(row["steps"])
        assert 0 < row["solve_rate"] <= 1


def test_counts_of_the_card_are_those_of_the_traces(made):
    report = json.loads((made / "report.json").read_text())
    trees = [tree for shard in sorted(made.glob("shards/*")) for tree in read_trees(shard)]
    assert [sum(1 for _ in made.glob("shards/*")), len(trees), report["problems"]["searched"]] == [4, 60, 60]
    found = Counter(outcome.value for tree in trees for outcome in tree.outcomes.values())
    assert report["found"] == dict(found)
    assert sum(report["difficulty"].values()) == 60
    assert report["kept"]["solutions"] == sum(report["lengths"].values())
    assert report["found"]["correct"] == report["kept"]["solutions"] + sum(report["dropped"].values())
    assert report["spent"]["tokens_generated"] == sum(tree.tree.spent.tokens_generated for tree in trees)
    assert f"{report['problems']['solved']} solved at least once" in (made / "README.md").read_text()
    assert not (made / "journals").exists()


def test_the_same_seed_makes_the_same_data_set_whatever_is_in_flight(made, cache, tmp_path):
    again = [*SMALL, f"cache={cache}", "scheduler.trees_at_once=64"]
    assert main(["generate", *again, f"run.dir={tmp_path / 'same'}"]) == 0
    assert shards(tmp_path / "same") == shards(made)
    assert main(["generate", *again, f"run.dir={tmp_path / 'other'}", "seed=1"]) == 0
    assert shards(tmp_path / "other") != shards(made)


def test_killed_it_goes_on_with_the_shards_and_replies_that_are_there(made, cache, tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "regrow.cli", "generate", *SMALL, f"run.dir={folder}", f"cache={cache}"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(folder.glob("shards/00001/shard.json")):
        assert running.poll() is None, "it was finished before it was killed"
        time.sleep(0.002)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = shards(folder)
    assert before != shards(made)
    assert main(command[3:]) == 0
    assert shards(folder) == shards(made)
    assert main(command[3:]) == 0  # finished: nothing is done again


def test_two_workers_make_the_same_data_set_though_one_of_them_is_killed(cache, tmp_path, capsys):
    folder, half = tmp_path / "spread", tmp_path / "half"
    command = ["generate", *SMALL, f"cache={cache}", "problems_per_shard=6"]
    assert main([*command, f"run.dir={half}"]) == 0
    shutil.copytree(half, folder)
    for number in (2, 3, 4, 5, 6, 7, 8, 9):
        shutil.rmtree(folder / f"shards/0000{number}")
    victim = fleet_of(Dist("local", workers=2)).seats[0].call(os.getpid).result()

    def kill_once_busy():
        while not any(path.stat().st_size for path in folder.glob("journals/*.txt")):
            time.sleep(0.002)
        os.kill(victim, signal.SIGKILL)

    killer = Thread(target=kill_once_busy)
    killer.start()
    assert main([*command, f"run.dir={folder}", "dist=local", "dist.workers=2"]) == 0
    killer.join()
    assert "worker 0 died" in capsys.readouterr().err
    assert shards(folder) == shards(half)
    assert json.loads((folder / "report.json").read_text()) == json.loads((half / "report.json").read_text())
    assert not (folder / "journals").exists()


def test_a_shard_that_was_written_and_not_reported_is_not_made_again(made, cache, tmp_path):
    folder = tmp_path / "written"
    shutil.copytree(made, folder)
    (folder / "journals").mkdir()
    (folder / "journals/journal-00000.txt").touch()
    settings = ["search=best_of_n", "generate.count=60", "generate.problems_per_shard=16", f"cache={cache}"]
    plan = Plan(composed([*MODELS, *settings]))
    (number, shard) = next(Reading(plan, tmp_path))
    assert Maker(plan.config, plan.models, folder).advance([(number, shard)]) == Report({"0": None})
    assert shards(folder) == shards(made)
    assert not any((folder / "journals").iterdir())


def test_who_lost_a_shard_writes_into_a_journal_that_nobody_reads(tmp_path):
    journal = path_of(tmp_path, 3)
    journal.parent.mkdir()
    with journal.open("w") as lost:
        lost.write("before\n")
        lost.flush()
        set_apart(tmp_path, 3)
        lost.write("after\n")
    assert journal.read_text() == "before\n"
    assert list(journal.parent.iterdir()) == [journal]
    set_apart(tmp_path, 4)


def test_killed_between_a_shard_and_the_end_of_its_journal_it_goes_on(made, cache, tmp_path):
    folder = tmp_path / "between"
    shutil.copytree(made, folder)
    last = max(folder.glob("shards/*"))
    shutil.rmtree(last)
    (folder / "journals").mkdir()
    (folder / "journals/journal-00000.txt").touch()
    command = ["generate", *SMALL, f"run.dir={folder}", f"cache={cache}"]
    assert main(command) == 0
    assert shards(folder) == shards(made)
    assert not (folder / "journals").exists()


def test_other_problems_in_the_same_folder_are_refused(cache, tmp_path, capsys):
    path = tmp_path / "problems.jsonl"
    rows = [{"problem": f"2 {n} -> {n + 2}", "answer": n + 2} for n in range(3, 9)]
    path.write_text("\n".join(map(json.dumps, rows)))
    command = [
        "generate",
        *MODELS,
        "search=best_of_n",
        f"problems={path}",
        f"run.dir={tmp_path / 'run'}",
        f"cache={cache}",
    ]
    assert main(command) == 0
    path.write_text("\n".join(map(json.dumps, rows[1:])))
    assert main(command) == UNUSABLE
    assert "holds other problems than are read now" in capsys.readouterr().err


def test_questions_that_came_before_or_stand_in_a_test_set_are_left_out(cache, tmp_path):
    problems, tests = tmp_path / "problems.jsonl", tmp_path / "test.jsonl"
    rows = [{"id": i, "problem": f"2 {n} -> {n + 2}", "answer": n + 2} for i, n in enumerate([3, 4, 5, 6, 4])]
    problems.write_text("\n".join(map(json.dumps, rows)))
    tests.write_text(json.dumps({"question": "2 5 -> 7"}))
    command = ["generate", *MODELS, "search=best_of_n", f"problems={problems}", f"cache={cache}"]
    assert main([*command, f"run.dir={tmp_path / 'run'}", f"decontaminate=[{tests}]", "ngram=3"]) == 0
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["read"] == {"problems": 5, "the same question again": 1, "shared with a test set": 1}
    assert report["problems"]["searched"] == 3


def test_an_estimate_does_nothing(cache, tmp_path, capsys):
    assert main(["generate", *SMALL, f"run.dir={tmp_path / 'run'}", f"cache={cache}", "dry_run=true"]) == 0
    said = capsys.readouterr().out
    assert "requests" in said
    assert "60" in said
    assert not (tmp_path / "run/shards").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["count=null"], "expected how many of the task's own problems, or problems=FILE"),
        (["count=0"], "count=0"),
        (["problems_per_shard=0"], "generate.problems_per_shard=0"),
        (["ngram=0"], "generate.ngram=0"),
        (["samples_per_problem=0"], "samples_per_problem=0: expected at least 1"),
        (["selection.keep=best"], "expected one of correct, all"),
        (["selection.per_problem=0"], "per_problem=0, expected at least 1"),
        (["selection.near_duplicate=2"], "near_duplicate=2"),
        (["task=gsm8k", "problems=absent.jsonl"], "absent.jsonl: cannot be read"),
        (["task=gsm8k", "problems=notes.txt"], "no source of problems"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(wrong, said, tmp_path, capsys):
    assert main(["generate", f"run.dir={tmp_path / 'run'}", "count=5", *wrong]) == UNUSABLE
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


# --- the parts --------------------------------------------------------------------------------------------------------


def test_a_question_is_contaminated_by_a_run_of_words_or_as_a_whole():
    known = Contamination(["One two three four, five six!", "Short"], 4)
    assert "And ONE two three four." in known
    assert "two three four five" in known
    assert "one two three" not in known
    assert "short" in known
    assert "short it is" not in known
    assert "anything" not in Contamination([], 4)


def test_searches_wait_where_judging_does_not_keep_up(monkeypatch):
    go = Event()
    monkeypatch.setattr("regrow.generate.judges.judged", lambda *_: go.wait(30))
    judges, brought = Judges(task=None, late=6), []

    def search():
        for name in range(20):
            brought.append(name)
            judges.judge(graded=None, tree=name)

    searching = Thread(target=search)
    searching.start()
    searching.join(0.3)
    assert brought == list(range(7))  # six may wait, and this one does
    go.set()
    searching.join(30)
    assert len(brought) == 20


class Free:
    """A task of free text."""

    def canonical(self, steps):
        return " ".join(steps)


def verified(*solutions):
    """A tree whose finals are these one-step solutions; `!` marks a wrong one."""
    from mcts.types import Problem, Step

    outcomes = {i: Outcome.WRONG if text.startswith("!") else Outcome.CORRECT for i, text in enumerate(solutions, 1)}
    tree = SimpleNamespace(path=lambda node: (Step(solutions[node - 1]),), problem=Problem("p", "q"))
    return SimpleNamespace(outcomes=outcomes, tree=tree)


LONG = "the quick brown fox jumps over the lazy dog and then it sleeps for a very long time under the old oak tree"


def test_equal_and_near_solutions_are_dropped_and_the_rest_is_capped():
    dropped = Counter()
    tree = verified(LONG, LONG, LONG + "!", "another", "a third", "!wrong")
    assert Selection(per_problem=None).of(tree, Free(), 0, dropped) == [1, 4, 5]
    assert dropped == {"duplicates": 1, "near duplicates": 1, "over the cap": 0}
    assert Selection(per_problem=None, near_duplicate=None).of(tree, Free(), 0, Counter()) == [1, 3, 4, 5]
    assert Selection(keep="all", per_problem=None).of(tree, Free(), 0, Counter()) == [1, 4, 5, 6]
    capped = {tuple(Selection(per_problem=2).of(tree, Free(), seed, dropped)) for seed in range(20)}
    assert capped == {(1, 4), (1, 5), (4, 5)}
    assert dropped["over the cap"] == 20


def test_difficulty_goes_by_the_share_of_correct_draws():
    assert [difficulty_of(rate) for rate in (0.0, 0.1, 0.5, 0.9, 1.0)] == ["unsolved", "hard", "medium", "easy", "easy"]
