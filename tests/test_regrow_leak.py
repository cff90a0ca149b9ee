"""Gold answers that are exchanged for others change what is called right, and not a bit of what is searched."""

from __future__ import annotations

import dataclasses
import inspect
import json
from itertools import product

import pyarrow.parquet as pq
import pytest

from mcts.ports import Checker
from mcts.types import Outcome, Problem
from policy.base import PolicySize, create
from policy.transformers_policy import TransformersPolicy
from prm import model as prm_model
from prm.scorer import HfScorer
from regrow.checker import TaskChecker
from regrow.cli import main
from regrow.tasks import TASKS
from regrow.tasks.countdown import Countdown
from regrow.tasks.game24 import Game24
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import GradedProblem, Split

WORDS = ("a", "b", "c", "say", "new")
OTHER = {"a": "b", "b": "c", "c": "a"}
TRACES = ("problems.parquet", "nodes.parquet")
VERIFIED = {"gold", "correct", "outcome", "answer", "remaining", "hard", "progress", "soft"}
"""Columns that the verifier fills."""


class Guess:
    """The answer is a word that only the gold answer tells. Implements `regrow.tasks.task.Task`."""

    name = "guess"
    is_checkable = False
    is_garbage = False
    """Whether gold answers are other words than those that they should be."""

    def parse(self, question):
        return question

    def gold(self, answer):
        return answer

    def problems(self, split, count, seed):
        questions = [" ".join(words) for words in product("abc", repeat=6)]
        found = [question for question in questions if split_of(question) is split]
        chosen = stream(self.name, seed).sample(found, len(found))[:count]
        return [GradedProblem(Problem(problem_id(self.name, one), one), self.told(one.split()[2])) for one in chosen]

    def told(self, word):
        """The gold answer of a problem whose answer is this word."""
        return OTHER[word] if self.is_garbage else word

    def is_training(self, question):
        return split_of(question) is Split.TRAIN

    def verify(self, graded, steps):
        return Outcome.CORRECT if self.answer(steps) == graded.answer else Outcome.WRONG

    def check(self, problem, steps):
        raise NotImplementedError

    def answer(self, steps):
        return (" ".join(steps).split() or [None])[-1]

    def truth(self, graded, steps):
        return None

    def canonical(self, steps):
        return " ".join(steps)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Overrides that name an untrained policy and PRM, and the task."""
    folder = tmp_path_factory.mktemp("models")
    create(
        WORDS, PolicySize(hidden=16, layers=1, heads=2, intermediate=16, max_positions=64), folder / "policy", seed=1
    )
    prm_model.create(folder / "policy", folder / "prm", activation=prm_model.SIGMOID)
    return [
        "task.name=guess",
        *(f"~task.options.{name}" for name in ("numbers", "largest", "limit")),
        f"policy.path={folder / 'policy'}",
        f"prm.path={folder / 'prm'}",
        "scheduler.max_tokens=8",
        "scheduler.max_depth=3",
    ]


@pytest.fixture
def asked(monkeypatch):
    """All that policies and scorers are asked, in order, with whose weights answer."""
    noted = []
    for engine in (TransformersPolicy, HfScorer):

        def submit(self, ticket, request, original=engine.submit):
            noted.append((self.fingerprint, repr(ticket), repr(request)))
            return original(self, ticket, request)

        monkeypatch.setattr(engine, "submit", submit)
    return noted


@pytest.fixture
def both(models, asked, monkeypatch, tmp_path, capfd):
    """Runs a command with the right gold answers and with others; for each its folder, requests and output."""
    monkeypatch.setitem(TASKS, "guess", Guess)

    def both(command, *overrides):
        ends = []
        for is_garbage in (False, True):
            monkeypatch.setattr(Guess, "is_garbage", is_garbage)
            asked.clear()
            folder = tmp_path / f"garbage-{is_garbage}"
            run = [] if command == "search" else [f"run.dir={folder}"]
            words = [word.replace("ANSWERS", str(problem_file(folder.parent, is_garbage))) for word in overrides]
            assert main([command, *models, *run, *words]) == 0, capfd.readouterr().err
            ends.append((folder, list(asked), capfd.readouterr().out))
        return ends

    return both


def problem_file(folder, is_garbage):
    """Problems of the task with their answers, or with others."""
    path = folder / "problems.jsonl"
    rows = [
        {"problem": " ".join(words), "answer": OTHER[words[2]] if is_garbage else words[2]}
        for words in list(product("abc", repeat=6))[100:112]
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def searched(folder, *stages):
    """The trace stores of a run's stages, to the last bit, without what the verifier added."""
    found = {}
    for path in sorted(path for stage in stages for name in TRACES for path in (folder / stage).rglob(name)):
        table = pq.read_table(path)
        kept = [name for name in table.column_names if name not in VERIFIED]
        found[str(path.relative_to(folder))] = repr(table.select(kept).to_pydict())
    return found


def verdicts(folder):
    """What the verifier said, node by node."""
    return [
        said for path in sorted(folder.rglob("nodes.parquet")) for said in pq.read_table(path)["outcome"].to_pylist()
    ]


def test_rounds_ask_and_search_alike_whatever_the_gold_answers_are(both):
    (right, asked, _), (garbage, asked_then, _) = both(
        "train",
        "round.count=1",
        "round.problems=12",
        "round.replay=0",
        "round.controls=[]",
        "round.budget.tokens=40",
        "policy.train.max_steps=1",
        "prm.train.max_steps=1",
        "gate.problems=40",
        "gate.samples=2",
        "evaluate.problems=6",
        "evaluate.drawn=6",
        "evaluate.samples=2",
        "evaluate.budget.tokens=20",
        "imagine.count=6",
        "imagine.ways=[rephrase,new]",
        "+imagine.templates.rephrase='say {question}'",
        "+imagine.templates.new=new",
        "imagine.samples=2",
        "imagine.ngram=null",
        "imagine.near_duplicate=null",
        "pseudo_labels.share=0.5",
        "pseudo_labels.by=agreement",
        "pseudo_labels.rephrasings=1",
        "pseudo_labels.samples=2",
    )
    stages = (
        "round-0/evaluate",
        "round-1/imagined",
        "round-1/search",
        "round-1/reworded",
        "round-1/traces",
        "round-1/gate/old",
    )
    assert all((right / stage).is_dir() for stage in stages)
    assert searched(right, *stages) == searched(garbage, *stages)
    assert verdicts(right) != verdicts(garbage), "no gold answer was looked at: the test says nothing"
    first = {asked[0][0], next(one for one, _, request in asked if request.startswith("Score"))}
    assert [one for one in asked if one[0] in first] == [one for one in asked_then if one[0] in first]


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        (
            "evaluate",
            ["strategies=[best_of_n,rollout_branching,weighted_vote]", "budgets=[10,30]", "evaluate.problems=8"],
        ),
        ("generate", ["count=8", "samples_per_problem=3"]),
        ("generate", ["problems=ANSWERS", "search=best_of_n", "samples_per_problem=3"]),
        ("search", ["problems=ANSWERS", "output=json", "tree=true", "budget.tokens=40"]),
    ],
)
def test_every_other_door_does_so_too(both, command, overrides):
    (right, asked, said), (garbage, asked_then, said_then) = both(command, *overrides)
    assert asked
    assert asked == asked_then
    assert searched(right, ".") == searched(garbage, ".")
    if command == "search":
        assert without_clock(said) == without_clock(said_then)
    else:
        assert report(right) != report(garbage), "no gold answer was looked at: the test says nothing"


def without_clock(lines):
    """What `regrow search` printed, but for how long it took."""
    answers = [json.loads(line) for line in lines.splitlines()]
    for answer in answers:
        del answer["spent"]["seconds"]
    return answers


def report(folder):
    """What came of it by the verifier's word."""
    told = json.loads((folder / "report.json").read_text())
    return told.get("standings", told)


def test_a_checker_sees_problem_and_steps_and_a_problem_has_no_place_for_gold():
    assert {field.name for field in dataclasses.fields(Problem)} == {"id", "question", "before"}
    assert list(inspect.signature(Checker.check).parameters) == ["self", "problem", "steps"]
    assert list(inspect.signature(TaskChecker.check).parameters) == ["self", "problem", "steps"]
    for make in (Countdown, Game24):
        assert list(inspect.signature(make.check).parameters) == ["self", "problem", "steps"]


def test_the_verdict_of_a_checker_is_the_same_whatever_gold_answer_lies_beside_the_problem():
    task = Countdown()
    for graded in task.problems(Split.TRAIN, 5, seed=1):
        told = dataclasses.replace(graded, answer="999999")
        steps = task.valued_steps([graded], 1)[0].steps
        assert task.check(graded.problem, steps) == task.check(told.problem, steps)
