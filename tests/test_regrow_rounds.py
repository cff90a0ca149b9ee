"""The loop, whole and small: real models trained here, real search, real files; killed, resumed, repeated."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_run import MODELS

from regrow.cli import UNUSABLE, main
from regrow.report import read_report
from regrow.tasks import make_task
from regrow.tasks.problems import read_problems
from regrow.tasks.task import Split
from regrow.trace_store import read_trees

TINY = [
    *MODELS,
    "policy.train.max_steps=10",
    "prm.train.max_steps=10",
    "round.count=2",
    "round.problems=24",
    "round.budget.tokens=100",
    "round.controls=[base_only,rest_em]",
    "prm.yardstick=true",
    "gate.problems=30",
    "evaluate.problems=16",
    "evaluate.drawn=12",
    "evaluate.diagnosis=true",
    "evaluate.samples=4",
    "evaluate.budget.tokens=60",
]


def without_clock(path):
    report = json.loads((path / "report.json").read_text())
    del report["hardware"]
    for row in report["rounds"]:
        for part in (row, *row["controls"].values()):
            del part["seconds"]
    return report


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", *TINY, f"run.dir={folder}", f"cache={cache}"]) == 0
    return folder


def test_the_loop_closes_and_reports_every_round_by_the_contract(run):
    report = read_report(run / "report.json")
    assert [row.round for row in report.rounds] == [0, 1, 2]
    for row in report.rounds:
        assert set(row.eval) == {"greedy", "sample", "search", "best_of_n", "oracle", "shuffled"}
        assert {name: cell.n for name, cell in row.eval.items()} == dict.fromkeys(row.eval, 12) | {"greedy": 16}
        assert all(0 <= cell.low <= cell.accuracy <= cell.high <= 1 for cell in row.eval.values())
        assert row.eval["search"].tokens_per_problem == pytest.approx(row.eval["best_of_n"].tokens_per_problem, rel=0.3)
        assert row.prm_eval is not None
        assert row.prm_exact_eval is not None
        assert row.prm_eval.n > 0
    assert report.rounds[0].tokens_generated == 0
    assert set(report.rounds[2].seconds) == {"search", "verify", "policy", "prm", "gate", "evaluate"}
    assert "plotly" in (run / "report.html").read_text()


def test_the_controls_learn_as_long_from_the_same_base_by_other_teachers(run):
    result = {
        name: json.loads((run / name / "round-2/policy/stage.json").read_text())["result"]
        for name in ("", "controls/rest_em", "controls/base_only")
    }
    assert len({one["steps"] for one in result.values()}) == 1
    assert result["controls/base_only"]["lessons"] == 0 < result["controls/rest_em"]["lessons"]
    first, last = read_report(run / "report.json").rounds[1:]
    assert first.controls["base_only"].tokens_generated == 0
    assert first.controls["rest_em"].tokens_generated == pytest.approx(first.tokens_generated, rel=0.3)
    strategies = {tree.tree.strategy for tree in read_trees(run / "controls/rest_em/round-1/search")}
    assert strategies == {"best_of_n"}
    tests = [(row.of, row.over) for row in last.comparisons]
    over = ("base", "base_only", "rest_em")
    assert tests == [("search", "best_of_n"), *((of, name) for name in over for of in ("greedy", "sample"))]


def test_every_round_has_problems_of_its_own_and_learns_from_all_so_far(run):
    rounds = [{tree.tree.problem.question for tree in read_trees(run / f"round-{n}/traces")} for n in (1, 2)]
    assert len(rounds[0]) == len(rounds[1]) == 24
    assert not rounds[0] & rounds[1]
    traces = [json.loads((run / f"round-{n}/policy/stage.json").read_text())["result"]["lessons"] for n in (1, 2)]
    assert traces[1] > traces[0] > 0


def test_the_traces_taught_both_models_something(run):
    results = {
        name: json.loads((run / "round-1" / name / "stage.json").read_text())["result"] for name in ("policy", "prm")
    }
    assert results["policy"]["lessons"] > 0
    assert results["prm"]["states"] > 0
    weights = [(run / f"round-{n}" / "policy" / "model.safetensors").read_bytes() for n in (0, 1)]
    assert weights[0] != weights[1]


def test_a_gate_tries_each_line_that_learns_from_its_own_traces(run):
    first = read_report(run / "report.json").rounds[1]
    assert [one.of for one in first.verdicts] == ["policy", "prm"]
    assert [one.of for one in first.controls["rest_em"].verdicts] == ["policy"]
    assert first.controls["base_only"].verdicts == ()
    for row, line in ((first, ""), (first.controls["rest_em"], "controls/rest_em/")):
        trees = [one for side in ("new", "old") for one in read_trees(run / line / "round-1/gate" / side)]
        assert row.gate_tokens == sum(one.tree.spent.tokens_generated for one in trees)
        assert not any(one.gold or one.outcomes for one in trees), "a verdict on a validation problem invites learning"


def test_alarms_may_be_set_anew_when_a_run_goes_on(run, cache, tmp_path, capsys):
    folder = tmp_path / "again"
    shutil.copytree(run, folder)
    assert main(["train", *TINY, f"run.dir={folder}", f"cache={cache}", "alarms.unsolved=0"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "alarm:" in line]
    assert said[0].startswith("round 1, alarm: unsolved is ")
    rung = {one.name for one in read_report(folder / "report.json").rounds[1].alarms if one.rang}
    assert "unsolved" in rung


def test_search_saw_no_gold_answer_and_verification_did(run):
    searched, verified = (read_trees(run / "round-1" / name) for name in ("search", "traces"))
    assert {tree.gold for tree in searched} == {""}
    assert not any(tree.outcomes for tree in searched)
    assert all(tree.gold for tree in verified)
    assert any(tree.outcomes for tree in verified)
    assert all(tree.answers.keys() == tree.outcomes.keys() for tree in verified)
    assert any(answer for tree in verified for answer in tree.answers.values())
    spent = sum(tree.tree.spent.tokens_generated for tree in searched)
    assert spent == read_report(run / "report.json").rounds[1].tokens_generated


def test_a_finished_run_says_so_and_does_nothing_again(run, cache, capsys):
    before = {path: path.stat().st_mtime_ns for path in run.glob("round-*/**/*") if path.is_file()}
    assert main(["train", *TINY, f"run.dir={run}", f"cache={cache}"]) == 0
    assert "is finished" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in run.glob("round-*/**/*") if path.is_file()}


def test_the_same_seed_gives_the_same_report_and_another_seed_another(run, cache, tmp_path):
    again, other, fitted = tmp_path / "again", tmp_path / "other", set(cache.iterdir())
    assert main(["train", *TINY, f"run.dir={again}", f"cache={cache}"]) == 0
    assert set(cache.iterdir()) == fitted
    assert without_clock(again) == without_clock(run)
    assert main(["train", *TINY, f"run.dir={other}", f"cache={cache}", "seed=1", "round.count=1"]) == 0
    assert without_clock(other)["rounds"][1]["eval"] != without_clock(run)["rounds"][1]["eval"]


@pytest.mark.parametrize(
    "moment",
    [
        "round-0/.evaluate.scratch/search/journal.txt",
        "round-1/.search.scratch/journal.txt",
        "round-1/traces/stage.json",
        "round-1/.gate.scratch/old/journal.txt",
        "round-2/.evaluate.scratch/plain/journal.txt",
    ],
)
def test_killed_at_any_moment_the_run_goes_on_to_the_same_figures(run, cache, tmp_path, moment):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "regrow.cli", "train", *TINY, f"run.dir={folder}", f"cache={cache}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not ((folder / moment).exists() and (folder / moment).stat().st_size > 2000 * moment.endswith(".txt")):
        assert process.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "report.json").exists() or moment.startswith("round-2")
    assert main(command[3:]) == 0
    assert without_clock(folder) == without_clock(run)


def test_the_papers_value_model_runs_the_same_loop(cache, tmp_path):
    folder = tmp_path / "paper"
    paper = ["prm.labels=progress", "prm.head=vocabulary", "search=rest_mcts_star_code", "round.count=1"]
    assert main(["train", *TINY, *paper, f"run.dir={folder}", f"cache={cache}"]) == 0
    report = read_report(folder / "report.json")
    assert report.rounds[1].eval["search"].strategy == "rest_mcts_star_code"
    assert json.loads((folder / "round-1/prm/config.json").read_text())["architectures"] == ["VocabularyValueModel"]


def test_another_config_is_refused_with_what_differs(run, cache, capsys):
    assert main(["train", *TINY, f"run.dir={run}", f"cache={cache}", "round.problems=25"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "round.problems was 24, is now 25" in complaint
    assert "use another run.dir or delete" in complaint


def test_gold_answers_change_nothing_but_verification(run, cache, tmp_path):
    task = make_task("countdown", numbers=(2, 3))
    problems = task.problems(Split.TRAIN, 12, seed=5)
    trees = {}
    for name in ("right", "garbage"):
        path = tmp_path / f"{name}.jsonl"
        answers = [graded.answer if name == "right" else "999" for graded in problems]
        lines = [
            json.dumps({"id": graded.problem.id, "problem": graded.problem.question, "answer": answer})
            for graded, answer in zip(problems, answers, strict=True)
        ]
        path.write_text("\n".join(lines))
        assert len(read_problems(str(path), task)) == 12
        folder = tmp_path / name
        models = [f"policy.path={run / 'round-1/policy'}", f"prm.path={run / 'round-1/prm'}"]
        settings = [*TINY, *models, f"problems={path}", "round.count=1", "evaluate.problems=4"]
        assert main(["train", *settings, f"run.dir={folder}"]) == 0
        trees[name] = (folder / "round-1/search/nodes.parquet").read_bytes()
        verified = read_trees(folder / "round-1/traces")
        correct = sum(outcome == "correct" for tree in verified for outcome in tree.outcomes.values())
        assert (correct > 0) == (name == "right")
    assert trees["right"] == trees["garbage"]


def test_search_prints_solution_score_cost_and_tree(run, capsys):
    models = [f"policy.path={run / 'round-1/policy'}", f"prm.path={run / 'round-1/prm'}"]
    assert main(["search", "3 4 -> 12", *models, "tree=true", "budget.tokens=100"]) == 0
    said = capsys.readouterr().out
    assert "3 4 -> 12" in said
    assert "tokens generated" in said
    assert "visits" in said
    assert main(["search", "3 4 -> 12", *models, "output=json", "search=rest_mcts_star_code", "budget.tokens=100"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["spent"]["tokens_generated"] > 0
    assert answer["nodes"] > 1
    assert answer["strategy"] == "rest_mcts_star_code"


def test_evaluate_measures_given_models_on_given_problems(run, tmp_path, capsys):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"problem": "3 4 -> 12", "answer": 12}\n{"problem": "2 6 -> 4", "answer": "4"}\n')
    models = [f"policy.path={run / 'round-1/policy'}", f"prm.path={run / 'round-1/prm'}"]
    folder = tmp_path / "evaluated"
    assert main(["evaluate", *TINY, *models, f"problems={path}", f"run.dir={folder}", "output=json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["command"] == "evaluate"
    assert report["rounds"][0]["eval"]["greedy"]["n"] == 2


def test_a_training_problem_that_is_held_out_is_refused(run, tmp_path, capsys):
    held_out = make_task("countdown", numbers=(2, 3)).problems(Split.TEST, 1, seed=0)[0]
    path = tmp_path / "leak.jsonl"
    path.write_text(json.dumps({"id": "leak", "problem": held_out.problem.question, "answer": held_out.answer}))
    models = [f"policy.path={run / 'round-1/policy'}", f"prm.path={run / 'round-1/prm'}"]
    settings = [*TINY, *models, f"problems={path}", "evaluate.problems=4"]
    assert main(["train", *settings, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    assert "problem leak is held out" in capsys.readouterr().err


def test_a_checkpoint_without_weights_is_refused(run, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(run / "round-1/policy", broken)
    Path(broken / "model.safetensors").unlink()
    models = [f"policy.path={broken}", f"prm.path={run / 'round-1/prm'}"]
    assert main(["evaluate", *TINY, *models, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert str(broken) in complaint
