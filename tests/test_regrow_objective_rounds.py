"""Objectives in the loop: real rounds, what they draw beside the search, and what it costs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_run import TINY

from regrow.cli import UNUSABLE, main
from regrow.report import read_report
from regrow.tasks import make_task
from regrow.tasks.task import Split
from regrow.trace_store import read_trees


def trained(folder, cache, *settings):
    assert main(["train", *TINY, *settings, f"run.dir={folder}", f"cache={cache}"]) == 0
    return folder


def result(run, stage):
    return json.loads((run / stage / "stage.json").read_text())["result"]


@pytest.fixture(scope="module")
def temporal(tmp_path_factory, cache):
    return trained(tmp_path_factory.mktemp("runs") / "temporal", cache, "objective=temporal_self_rewarding")


def test_what_an_objective_wants_drawn_is_a_stage_unverified_and_counted(temporal):
    report = read_report(temporal / "report.json")
    for number in (1, 2):
        stages = [f"round-{number}/{name}" for name in ("search", "samples-first", "samples-next")]
        assert report.rounds[number].tokens_generated == sum(
            result(temporal, stage)["tokens_generated"] for stage in stages
        )
        assert {"samples-first", "samples-next", "policy ahead"} < set(report.rounds[number].seconds)
        for stage in stages[1:]:
            trees = read_trees(temporal / stage)
            assert len(trees) == 24
            assert {tree.gold for tree in trees} == {""}
            assert not any(tree.outcomes for tree in trees)
            assert {tree.tree.spent.policy_calls for tree in trees} == {1}
    assert not (temporal / "round-1/samples-own").exists()


def test_the_provisional_policy_is_supervised_and_the_next_one_starts_where_it_started(temporal):
    ahead, policy = result(temporal, "round-2/policy-ahead"), result(temporal, "round-2/policy")
    assert ahead["lessons"] > 0 < policy["lessons"]
    assert ahead["replayed"] > 0 == policy["replayed"]
    inputs = [
        json.loads((temporal / f"round-2/{name}/stage.json").read_text())["inputs"]
        for name in ("policy-ahead", "policy")
    ]
    assert inputs[0]["policy"] == inputs[1]["policy"]


def test_the_prm_is_trained_before_the_policy_that_may_ask_it(cache, tmp_path):
    run = trained(tmp_path / "cream", cache, "objective=cream")
    prm, policy = (run / f"round-1/{name}/stage.json" for name in ("prm", "policy"))
    assert prm.stat().st_mtime_ns < policy.stat().st_mtime_ns
    assert json.loads(policy.read_text())["inputs"]["prm"] is not None
    assert result(run, "round-2/policy")["lessons"] > 0


def test_all_of_a_models_readings_are_asked_once_it_has_a_past(cache, tmp_path):
    run = trained(tmp_path / "scir", cache, "objective=scir", "objective.per_problem=1")
    assert result(run, "round-2/policy")["lessons"] > 0


def test_rest_em_starts_from_the_first_policy_each_round(cache, tmp_path):
    run = trained(tmp_path / "rest_em", cache, "objective=rest_em", "search=best_of_n")
    starts = [json.loads((run / f"round-{n}/policy/stage.json").read_text())["inputs"]["policy"] for n in (1, 2)]
    assert starts[0] == starts[1]


def test_earlier_traces_are_left_behind_and_some_kept_for_validation_where_that_is_wanted(cache, tmp_path):
    early = ["policy.train.patience=1", "policy.train.eval_every=2", "round.validation=0.4"]
    run = trained(tmp_path / "fresh", cache, "round.traces_replay=0", *early)
    solved = [result(run, f"round-{n}/traces")["solved"] for n in (1, 2)]
    lessons = [result(run, f"round-{n}/policy")["lessons"] for n in (1, 2)]
    assert all(solved)
    assert lessons[1] <= 2 * solved[1]
    assert any("validation_loss" in result(run, f"round-{n}/policy") for n in (1, 2))


@pytest.fixture(scope="module")
def spin(tmp_path_factory, cache):
    return trained(tmp_path_factory.mktemp("runs") / "spin", cache, "objective=spin", "objective.rate=0.5")


def test_killed_while_it_samples_a_round_goes_on_to_the_same_policy(spin, cache, tmp_path):
    folder = tmp_path / "killed"
    settings = [*TINY, "objective=spin", "objective.rate=0.5", f"run.dir={folder}", f"cache={cache}"]
    process = subprocess.Popen([sys.executable, "-m", "regrow.cli", "train", *settings], stderr=subprocess.DEVNULL)
    journal, deadline = folder / "round-1/.samples-own.scratch/journal.txt", time.monotonic() + 120
    while not (journal.exists() or (folder / "round-1/samples-own").exists()):
        assert process.poll() is None, "the run ended before it sampled"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert main(["train", *settings]) == 0
    weights = [(run / "round-2/policy/model.safetensors").read_bytes() for run in (spin, folder)]
    assert weights[0] == weights[1]


def test_gold_answers_change_nothing_that_is_drawn(spin, tmp_path):
    problems = make_task("countdown", numbers=(2, 3)).problems(Split.TRAIN, 12, seed=5)
    drawn = {}
    for name in ("right", "garbage"):
        path, folder = tmp_path / f"{name}.jsonl", tmp_path / name
        rows = [(one.problem, one.answer if name == "right" else "999") for one in problems]
        path.write_text("\n".join(json.dumps({"id": p.id, "problem": p.question, "answer": a}) for p, a in rows))
        models = [f"policy.path={spin / 'round-1/policy'}", f"prm.path={spin / 'round-1/prm'}"]
        settings = [*TINY, *models, f"problems={path}", "round.count=1", "evaluate.problems=4", "objective=spin"]
        assert main(["train", *settings, f"run.dir={folder}"]) == 0
        drawn[name] = (folder / "round-1/samples-own/nodes.parquet").read_bytes()
    assert drawn["right"] == drawn["garbage"]


def test_a_policy_that_learned_its_own_reward_is_its_own_scorer(spin, cache, tmp_path, capsys):
    run = trained(tmp_path / "laser", cache, "objective=laser", "round.count=1")
    constants = json.loads((run / "round-1/policy/loss.json").read_text())
    assert constants["loss"] == "Laser"
    assert constants["reference"] < -3  # measured: a token that is never said
    own = [f"policy.path={run / 'round-1/policy'}", "prm=laser"]
    capsys.readouterr()
    words = ["output=json", "tree=true"]
    assert main(["search", "3 4 -> 12", *own, f"prm.path={run / 'round-1/policy'}", *words]) == 0
    values = [node["value"] for node in json.loads(capsys.readouterr().out)["tree"] if node["value"] is not None]
    assert values
    assert all(0 <= value <= 1 for value in values)
    assert main(["search", "3 4 -> 12", *own, f"prm.path={spin / 'round-1/policy'}"]) == UNUSABLE
    assert "trained with objective=laser" in capsys.readouterr().err
    assert main(["train", *TINY, *own, f"prm.path={run / 'round-1/policy'}", f"run.dir={tmp_path / 'no'}"]) == UNUSABLE
    assert "no PRM to retrain" in capsys.readouterr().err


def test_a_dry_run_shows_lessons_with_what_is_learned_of_them(spin, cache, tmp_path, capsys):
    for folder, told in ((spin, "Lessons of round-2, objective spin"), (tmp_path / "new", "No traces yet")):
        settings = [
            *TINY,
            "objective=spin",
            "objective.rate=0.5",
            f"run.dir={folder}",
            f"cache={cache}",
            "dry_run=true",
        ]
        assert main(["train", *settings]) == 0
        said = capsys.readouterr().out
        assert "samples-own" in said
        assert told in said
        assert "⏎ ⟦" in said
    assert not (tmp_path / "new/manifest.json").exists()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("objective=best", "objective"),
        ("objective.beta=0.2", "beta"),  # the default, supervised, has none
        ("round.traces_replay=2", "round.traces_replay=2"),
    ],
)
def test_a_wrong_objective_is_one_line(setting, complaint, cache, tmp_path, capsys):
    assert main(["train", *TINY, setting, f"run.dir={tmp_path / 'run'}", f"cache={cache}"]) == UNUSABLE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert complaint in said


def test_help_lists_the_objectives(capsys):
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    assert "temporal_self_rewarding" in next(line for line in said.splitlines() if line.strip().startswith("objective"))
