"""Rounds on problems that nobody knows an answer to: imagined ones, and the same ones in other words."""

import json
from collections import Counter

import pytest
from lessons_by_hand import FINALS, tree_of
from tiny_run import TINY

from mcts.types import Outcome, Problem
from regrow import rewording, round_problems
from regrow.cli import main
from regrow.imagine.imagined import Imagined, write_imagined
from regrow.imagine.rephrasings import Rephrasings
from regrow.pseudo_labels import PseudoLabels
from regrow.rewording import Rewordings, all_judged
from regrow.strategy import answers_of
from regrow.tasks import make_task
from regrow.tasks.task import GradedProblem, Split
from regrow.trace_store import read_trees, write_trees
from regrow.verified import VerifiedTree

TASK = make_task("countdown", numbers=(2, 3))
NEW = ["imagine=arithmetic", "imagine.count=3", "imagine.ways=[new]"]


def stored(run, stage):
    return json.loads((run / stage / "stage.json").read_text())["result"]


@pytest.fixture(scope="module")
def imagining(tmp_path_factory, cache):
    """Two rounds in which the policy is taken to imagine three problems, and what it was shown."""
    run, shown = tmp_path_factory.mktemp("runs") / "imagining", []
    known = [graded.problem.question for graded in TASK.problems(Split.TRAIN, 60, seed=99)][-6:]

    def imagine(it, policy, problems, failures, folder, *, number, name, before):
        shown.append((number, len(problems), [problem.id for problem in failures], list(before)))
        made = known[3 * number - 3 : 3 * number]
        write_imagined(
            folder,
            [Imagined(f"imagined:{number}:new:{i}", one, "new", (), number, "p", 1.0) for i, one in enumerate(made)],
        )
        return {"tokens_generated": 1000 * number}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(round_problems, "imagine", imagine)
        settings = [*TINY, *NEW, "pseudo_labels.least=0.2", "round.controls=[rest_em]", "prm.yardstick=true"]
        assert main(["train", *settings, f"run.dir={run}", f"cache={cache}"]) == 0
    return run, shown, known


def test_imagined_problems_are_searched_and_judged_without_gold(imagining):
    run, _, known = imagining
    for number in (1, 2):
        trees = read_trees(run / f"round-{number}/traces")
        without = [one for one in trees if not one.gold]
        assert [one.tree.problem.question for one in without] == known[3 * number - 3 : 3 * number]
        assert len(trees) == 24 + 3
        labels = PseudoLabels(least=0.2)
        assert [one.outcomes for one in without] == [
            labels.outcomes(one.tree, answers_of(TASK, one.tree), None) for one in without
        ]


def test_what_imagining_costs_counts_and_no_control_imagines(imagining):
    run, _, _ = imagining
    rounds = json.loads((run / "report.json").read_text())["rounds"]
    for number in (1, 2):
        searched = stored(run, f"round-{number}/search")["tokens_generated"]
        assert rounds[number]["tokens_generated"] == searched + 1000 * number
        assert "imagine" in rounds[number]["seconds"]
    assert not list(run.glob("controls/rest_em/round-*/imagined"))


def test_the_policy_is_shown_what_failed_and_knows_what_it_imagined_before(imagining):
    run, shown, known = imagining
    (first, count, failed, before), (second, _, failed_then, before_then) = shown
    assert (first, count, failed, before) == (1, 24, [], [])
    trees = read_trees(run / "round-1/traces")
    unsolved = [one.tree.problem.id for one in trees if one.outcomes and Outcome.CORRECT not in one.outcomes.values()]
    assert second == 2
    assert set(unsolved) <= set(failed_then)
    assert before_then == known[:3]


def test_other_wordings_judge_and_are_judged(tmp_path):
    """The tree answers 20, 9, 24 and 10, one draw each; in other words 9 is answered twice, 20 once."""
    tree = tree_of(name="p").tree
    wordings = []
    for i, leaves in enumerate((FINALS[:2], FINALS[1:2])):
        other = tree_of(name=f"p:reworded:{i}").tree
        flags = other.flags.copy()
        flags[[leaf for leaf in FINALS if leaf not in leaves]] = 0
        wordings.append(other.__class__(**{n: getattr(other, n) for n in other.__slots__} | {"flags": flags}))
    write_trees(tmp_path, (VerifiedTree.labelled(one, "", {}) for one in wordings))
    others = Rewordings(TASK, tmp_path)
    assert others.answers(Problem("p", "")) == Counter({"9": 2, "20": 1})
    labels = PseudoLabels(by="agreement", least=0.6)
    graded = GradedProblem(tree.problem, "")
    own, *reworded = all_judged(TASK, graded, tree, labels, others)
    assert own.outcomes[FINALS[1]] is Outcome.CORRECT
    assert own.outcomes[FINALS[0]] is Outcome.WRONG
    assert [one.outcomes for one in reworded] == [{}, {}]  # the tree itself is split four ways
    lenient = PseudoLabels(by="agreement", least=0.2)
    _, first, second = all_judged(TASK, graded, tree, lenient, others)
    assert first.outcomes == {FINALS[0]: Outcome.CORRECT, FINALS[1]: Outcome.WRONG}
    assert second.outcomes == {FINALS[1]: Outcome.WRONG}
    known = GradedProblem(tree.problem, "20")
    assert [one.gold for one in all_judged(TASK, known, tree, labels, others)] == ["20"]


def test_a_round_learns_from_other_wordings(tmp_path, cache, monkeypatch):
    def rephrasings(it, policy, problems, count, *, name):
        def turned(question):
            numbers, _, target = question.partition(" -> ")
            return f"{' '.join(reversed(numbers.split()))} -> {target}"

        return Rephrasings({one.id: [turned(one.question)] for one in problems}, 77)

    monkeypatch.setattr(rewording, "rephrasings", rephrasings)
    run = tmp_path / "run"
    labels = ["pseudo_labels.by=agreement", "pseudo_labels.share=1", "pseudo_labels.least=0.3"]
    assert main(["train", *TINY, *labels, "round.count=1", f"run.dir={run}", f"cache={cache}"]) == 0
    trees = read_trees(run / "round-1/traces")
    assert [":reworded:" in one.tree.problem.id for one in trees] == [False, True] * 24
    assert stored(run, "round-1/reworded")["rewordings"] == 24
    report = json.loads((run / "report.json").read_text())["rounds"][1]
    paid = [stored(run, f"round-1/{name}")["tokens_generated"] for name in ("search", "reworded")]
    assert report["tokens_generated"] == sum(paid)
    assert paid[1] > 77
    assert not any(one.gold for one in trees)
