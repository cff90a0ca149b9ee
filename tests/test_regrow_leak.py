"""Gold answers that are exchanged for others change what is called right, and not a bit of what is searched."""

from __future__ import annotations

import json
from itertools import product

import pyarrow.parquet as pq
import pytest

from mcts.types import Outcome, Problem
from policy.base import PolicySize, create
from policy.transformers_policy import TransformersPolicy
from prm import model as prm_model
from prm.scorer import HfScorer
from regrow.cli import main
from regrow.tasks import TASKS
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import GradedProblem, Split

WORDS = ("a", "b", "c", "say", "new")
OTHER = {"a": "b", "b": "c", "c": "a"}
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
        return OTHER[answer] if self.is_garbage else answer

    def problems(self, split, count, seed):
        questions = [" ".join(words) for words in product("abc", repeat=6)]
        found = [question for question in questions if split_of(question) is split]
        chosen = stream(self.name, seed).sample(found, len(found))[:count]
        return [GradedProblem(Problem(problem_id(self.name, one), one), self.gold(one[4])) for one in chosen]

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
            words = [word.replace("ANSWERS", str(problem_file(tmp_path, is_garbage))) for word in overrides]
            assert main([command, *models, *run, *words]) == 0, capfd.readouterr().err
            ends.append((folder, list(asked), capfd.readouterr().out))
        return ends

    return both


def problem_file(folder, is_garbage):
    """Problems of the task with answers, right ones or none at all."""
    path = folder / f"problems-{is_garbage}.jsonl"
    rows = [{"problem": " ".join(words), "answer": words[2]} for words in list(product("abc", repeat=6))[100:112]]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def searched(folder):
    """Every trace store of a run: what its searches left, without what the verifier added."""
    found = {}
    for path in sorted([*folder.rglob("problems.parquet"), *folder.rglob("nodes.parquet")]):
        table = pq.read_table(path)
        kept = [name for name in table.column_names if name not in VERIFIED]
        found[str(path.relative_to(folder))] = table.select(kept)
    return found


def verdicts(folder):
    """What the verifier said, store by store."""
    return [pq.read_table(path).column("outcome").to_pylist() for path in sorted(folder.rglob("nodes.parquet"))]


def test_debug(both):
    (right, first, _), (garbage, second, _) = both(
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
    import os

    os.system(f"find {right} -type f")
    a, b = searched(right), searched(garbage)
    for k in a:
        print(k, a[k].num_rows, k in b and a[k].equals(b[k]))
    print(len(first), len(second), first[0])
    n = next((i for i, (x, y) in enumerate(zip(first, second)) if x != y), None)
    print("first difference", n, n is not None and (first[n], second[n]))
    from collections import Counter

    print(Counter(f for f, _, _ in first))
    assert 0
