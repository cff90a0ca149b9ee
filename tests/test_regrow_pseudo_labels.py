"""Outcomes without gold answers, by hand, and that they are what a run learns from."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from lessons_by_hand import FINALS, tree_of
from tiny_run import TINY

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.types import Outcome, Problem
from regrow.cli import main
from regrow.pseudo_labels import PseudoLabels, common, votes
from regrow.strategy import answers_of
from regrow.tasks import make_task
from regrow.tasks.task import Split
from regrow.trace_store import read_trees

TASK = make_task("countdown", numbers=(2, 3))

RIGHT, WRONG, SILENT = Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSED


def tree_with(values=None, visits=None):
    """The tree of four leaves, which answer 20, 9, 24 and 10."""
    tree = tree_of().tree
    value, drawn = tree.value.copy(), tree.visits.copy()
    for node, leaf in enumerate(FINALS):
        value[leaf] = values[node] if values else 0.5
        drawn[leaf] = visits[node] if visits else 1
    return replace(tree, value=value, visits=drawn)


ANSWERS = dict(zip(FINALS, ("20", "9", "24", None), strict=True))


def test_by_threshold_a_solution_is_right_from_the_least_value_on():
    labels = PseudoLabels(by="threshold", least=0.5)
    told = labels.outcomes(tree_with(values=(0.5, 0.49, 0.9, 0.9)), ANSWERS, None)
    assert told == dict(zip(FINALS, (RIGHT, WRONG, RIGHT, SILENT), strict=True))
    unscored = labels.outcomes(tree_with(values=(float("nan"), 0.6, 0.1, 0.1)), ANSWERS, None)
    assert unscored[FINALS[0]] is WRONG


def test_by_majority_draws_count_and_a_short_majority_says_nothing():
    tree = tree_with(visits=(5, 2, 1, 2))  # 10 draws, 5 of them come to 20
    assert votes(tree, ANSWERS) == Counter({"20": 5, "9": 2, "": 2, "24": 1})
    told = PseudoLabels(least=0.5).outcomes(tree, ANSWERS, None)
    assert told == dict(zip(FINALS, (RIGHT, WRONG, WRONG, SILENT), strict=True))
    assert PseudoLabels(least=0.51).outcomes(tree, ANSWERS, None) == {}


def test_no_answer_is_never_the_right_one():
    assert common(Counter({"": 9, "7": 1}), 0.05) == "7"
    assert common(Counter({"": 9}), 0.0) is None
    assert common(Counter(), 0.0) is None
    assert common(Counter({"3": 2, "4": 2}), 0.5) == "3"


def test_by_agreement_other_wordings_judge():
    labels = PseudoLabels(by="agreement", least=0.6)
    tree = tree_with(visits=(5, 1, 1, 1))
    told = labels.outcomes(tree, ANSWERS, Counter({"9": 3, "20": 2}))
    assert told == dict(zip(FINALS, (WRONG, RIGHT, WRONG, SILENT), strict=True))
    assert labels.outcomes(tree, ANSWERS, Counter({"9": 2, "20": 2})) == {}


def test_a_share_of_the_problems_is_without_gold_the_same_ones_each_time():
    problems = [Problem(f"p{i}", "1 2 -> 3") for i in range(400)]
    for share in (0.0, 0.25, 1.0):
        covered = [PseudoLabels(share=share).covers(problem, 0) for problem in problems]
        assert sum(covered) / 400 == pytest.approx(share, abs=0.08)
        assert covered == [PseudoLabels(share=share).covers(problem, 0) for problem in problems]


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"least": -0.1}, {"by": "gold"}, {"rephrasings": 0}, {"samples": 0}])
def test_settings_that_cannot_be_are_told(wrong):
    with pytest.raises(InputError, match="pseudo_labels"):
        PseudoLabels(**wrong)


@pytest.fixture(scope="module")
def half_labelled(tmp_path_factory, cache):
    """A tiny run in which half the problems have no gold answer."""
    folder = tmp_path_factory.mktemp("runs")
    settings = ["round.count=1", "pseudo_labels.share=0.5", "pseudo_labels.least=0.3", "policy.train.max_steps=3"]
    assert main(["train", *TINY, *settings, f"run.dir={folder / 'half'}", f"cache={cache}"]) == 0
    return folder


def test_what_has_no_gold_answer_is_judged_by_its_own_majority(half_labelled):
    trees = read_trees(half_labelled / "half/round-1/traces")
    without = [one for one in trees if not one.gold]
    assert 0 < len(without) < len(trees)
    labels = PseudoLabels(share=0.5, least=0.3)
    assert [labels.covers(one.tree.problem, 0) for one in trees] == [not one.gold for one in trees]
    for one in without:
        assert one.outcomes == labels.outcomes(one.tree, answers_of(TASK, one.tree), None)
    assert any(RIGHT in one.outcomes.values() for one in without)


def test_a_gold_answer_that_shall_not_be_used_changes_nothing(half_labelled, cache):
    """The same problems from a file, once with garbage in place of those answers."""
    trees = read_trees(half_labelled / "half/round-1/traces")
    problems = {one.problem.id: one for one in TASK.problems(Split.TRAIN, 64, seed_of(0, "problems"))}
    labels, learned = PseudoLabels(share=0.5), []
    for garbage in (False, True):
        rows = []
        for one in trees:
            graded = problems[one.tree.problem.id]
            answer = "77" if garbage and labels.covers(graded.problem, 0) else graded.answer
            rows.append({"id": graded.problem.id, "problem": graded.problem.question, "answer": answer})
        run, path = half_labelled / f"file-{garbage}", half_labelled / f"{garbage}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        where = [f"problems={path}", f"run.dir={run}", f"cache={cache}"]
        settings = ["round.count=1", "pseudo_labels.share=0.5", "pseudo_labels.least=0.3", "policy.train.max_steps=3"]
        assert main(["train", *TINY, *settings, *where]) == 0
        made = ("traces/nodes.parquet", "policy/model.safetensors", "prm/model.safetensors")
        learned.append([(run / "round-1" / name).read_bytes() for name in made])
    assert learned[0] == learned[1]
