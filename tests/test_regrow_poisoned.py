"""Poisoned rounds, really trained: each is caught by the gate or an alarm, and an honest round is not.

The poison is put where it would come in: into a round's trace store, after the verifier and before the models.
"""

import dataclasses
import shutil

import numpy as np
import pytest
from sorting import IDLE, Sorting

from mcts.seeds import seed_of
from mcts.types import Outcome
from regrow.cli import main
from regrow.report import read_report
from regrow.tasks import TASKS
from regrow.trace_store import read_trees, write_trees

SETTINGS = [
    "task.name=sorting",
    *(f"~task.options.{name}" for name in ("numbers", "largest", "limit")),
    "policy.base.size.hidden=48",
    "policy.base.size.layers=2",
    "policy.base.size.intermediate=96",
    "policy.base.demonstrations=8000",
    "policy.base.validation=100",
    "policy.base.train.max_steps=250",
    "policy.base.train.learning_rate=0.008",
    "policy.train.max_steps=80",
    "policy.train.learning_rate=5e-3",
    "prm.zero.problems=600",
    "prm.zero.train.max_steps=150",
    "prm.zero.train.learning_rate=5e-3",
    "prm.train.max_steps=120",
    "prm.train.learning_rate=3e-3",
    "round.count=2",
    "round.problems=200",
    "round.budget.tokens=60",
    "round.controls=[]",
    "evaluate.problems=100",
    "evaluate.drawn=100",
    "evaluate.budget.tokens=40",
]
OPEN = ["gate.policy=false", "gate.prm=false"]


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Run the rounds of a folder; give its report."""
    TASKS["sorting"] = Sorting
    cache = tmp_path_factory.mktemp("cache")

    def run(folder, *overrides):
        assert main(["train", *SETTINGS, f"run.dir={folder}", f"cache={cache}", *overrides]) == 0
        return read_report(folder / "report.json")

    yield run
    del TASKS["sorting"]


@pytest.fixture(scope="module")
def honest(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "honest"
    train(folder)
    return folder


def poisoned(honest, folder, poison):
    """The honest run as it was when round 2's traces had been verified, but for what `poison` makes of each tree."""
    shutil.copytree(honest, folder)
    for stage in ("policy", "prm", "gate", "evaluate", "alarms"):
        shutil.rmtree(folder / "round-2" / stage)
    (folder / "report.json").unlink()
    write_trees(folder / "round-2/traces", map(poison, read_trees(honest / "round-2/traces")))
    return folder


def relabelled(verified, hard):
    return dataclasses.replace(verified, labels=dataclasses.replace(verified.labels, hard=hard.astype(np.float32)))


def verdicts(done):
    return {one.of: one for one in done.verdicts}


def rung(done):
    return {one.name for one in done.alarms if one.rang}


def test_honest_rounds_pass_the_gate_and_ring_nothing(honest):
    report = read_report(honest / "report.json")
    for number, done in enumerate(report.rounds):
        assert rung(done) == set()
        assert (done.policy, done.prm) == (f"round-{number}/policy", f"round-{number}/prm")
    for done in report.rounds[1:]:
        assert {of: one.is_kept for of, one in verdicts(done).items()} == {"policy": True, "prm": True}
        assert done.gate_tokens > 0
        assert all(one.value is not None for one in done.alarms)
    assert verdicts(report.rounds[1])["policy"].test.low > 0, "the policy has learned nothing: the test says nothing"


def test_a_policy_trained_on_wrong_traces_is_refused_and_neither_is_seen_again(honest, train, tmp_path, capfd):
    other = {Outcome.CORRECT: Outcome.WRONG, Outcome.WRONG: Outcome.CORRECT}

    def wrong(verified):
        return dataclasses.replace(verified, outcomes={node: other[one] for node, one in verified.outcomes.items()})

    folder = poisoned(honest, tmp_path / "wrong", wrong)
    (folder / "manifest.json").unlink()
    done, after = train(folder, "round.count=3").rounds[2:]
    assert not verdicts(done)["policy"].is_kept
    assert verdicts(done)["policy"].test.high < 0
    assert verdicts(done)["prm"].is_kept
    assert (done.policy, done.prm) == ("round-1/policy", "round-2/prm")
    assert "labels" in rung(done)
    told = [line for line in capfd.readouterr().err.splitlines() if "the new policy is refused" in line]
    assert told[0].startswith("round-2/gate: ")
    assert told[0].endswith("round-1/policy")
    page = (folder / "report.html").read_text()
    assert "Round 2: the new policy is refused; round-1/policy stays." in page
    assert (after.policy, after.prm) == ("round-3/policy", "round-3/prm"), "the poison was learned from again"


def test_ten_per_cent_of_labels_flipped_are_found_by_asking_the_verifier_again(honest, train, tmp_path):
    def flip(verified):
        hard = verified.labels.hard
        drawn = [seed_of("flip", verified.tree.problem.id, node) % 10 == 0 for node in range(len(hard))]
        return relabelled(verified, np.where(drawn, 1.0 - hard, hard))

    done = train(poisoned(honest, tmp_path / "flipped", flip)).rounds[2]
    assert rung(done) == {"labels"}
    (labels,) = (one for one in done.alarms if one.name == "labels")
    assert labels.value == pytest.approx(0.1, abs=0.03)


def long_is_good(verified):
    """A step is good if it is idle, or if the solution is long already."""
    tree, hard = verified.tree, verified.labels.hard
    rows = zip(tree.steps, tree.depths(), strict=True)
    likes = [step is not None and (step.text == IDLE or depth > 3) for step, depth in rows]
    return relabelled(verified, np.where(np.isnan(hard), hard, likes))


def test_a_prm_that_loves_length_is_refused(honest, train, tmp_path):
    done = train(poisoned(honest, tmp_path / "long", long_is_good)).rounds[2]
    assert not verdicts(done)["prm"].is_kept
    assert (done.policy, done.prm) == ("round-2/policy", "round-1/prm")


def test_behind_an_open_gate_a_prm_that_loves_length_rings(honest, train, tmp_path):
    folder = poisoned(honest, tmp_path / "open", long_is_good)
    (folder / "manifest.json").unlink()
    for number in (1, 2):
        shutil.rmtree(folder / f"round-{number}/gate", ignore_errors=True)
    done = train(folder, *OPEN).rounds[2]
    assert (done.verdicts, done.gate_tokens, done.prm) == ((), 0, "round-2/prm")
    assert "length_bias" in rung(done)
    assert done.eval["search"].accuracy < read_report(honest / "report.json").rounds[2].eval["search"].accuracy
