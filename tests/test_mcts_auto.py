import json
from dataclasses import asdict, replace
from itertools import cycle
from math import nan

import pytest
from fakes import ScriptedPolicy, TableScorer, step, texts_of

from mcts.budget import Budget
from mcts.forest import Forest
from mcts.scheduler import Scheduler
from mcts.search import Auto
from mcts.search.auto import Course, End
from mcts.types import Problem, Until
from mcts.walk import Query
from regrow.strategy import reading


def ends(*told, depth=2):
    return [End(answer, draws, value, depth) for answer, draws, value in told]


@pytest.mark.parametrize(
    ("told", "course"),
    [
        ([("7", 4, 0.9)], "stop"),
        ([("7", 1, 0.9), ("7", 2, 0.8), ("7", 1, 0.7)], "stop"),  # one answer in three forms
        ([("7", 4, 0.9), ("8", 1, 0.9)], "stop"),  # four of five
        ([("7", 3, 0.9), ("8", 1, 0.9)], "sample"),  # three of four
        ([("7", 3, 0.9), (None, 1, 0.9)], "sample"),  # what was cut off agrees with nobody
        ([("7", 4, 0.6)], "sample"),  # agreed, but not trusted
        ([("7", 4, 0.2)], "search"),  # agreed, and not believed
        ([("7", 3, 0.94), ("7", 1, 0.2)], "sample"),  # the scorer is of two minds: deviation 0.32
        ([("7", 2, 0.9), ("8", 2, 0.9)], "sample"),  # half
        ([("7", 2, 0.9), ("8", 1, 0.9), ("9", 1, 0.9)], "sample"),
        ([("7", 1, 0.9), ("8", 1, 0.9), ("9", 1, 0.9), ("6", 1, 0.9)], "search"),
        ([("7", 2, 0.9), ("8", 2, 0.1)], "sample"),  # of equals, the one that is valued
        ([("7", 2, 0.1), ("8", 2, 0.2)], "search"),
        ([(None, 4, 0.9)], "search"),  # no solution at all
        ([("7", 1, 0.95)], "stop"),  # certain
        ([("7", 1, 0.2), ("8", 1, 0.96), ("8", 1, 0.97)], "stop"),
        ([("7", 1, 0.96), ("8", 1, 0.96), ("9", 2, 0.1)], "search"),  # two answers that are certain
        ([(None, 1, 0.99)], "sample"),  # what was cut off is no answer
        ([("7", 1, nan)], "sample"),  # without a scorer nothing is certain
        ([("7", 3, nan), ("8", 1, nan)], "sample"),
        ([("7", 4, nan)], "stop"),
        ([("7", 1, 0.1), ("8", 1, 0.2)], "sample"),  # two draws decide nothing else
    ],
)
def test_the_course_by_hand(told, course):
    assert Auto().course(ends(*told)) == course


def test_what_reasons_in_one_piece_is_sampled():
    hard = [("7", 2, 0.1), ("8", 2, 0.2)]
    assert Auto(long_reasoning=True).course(ends(*hard)) is Course.SAMPLE
    assert Auto().course(ends(*hard, depth=1)) is Course.SAMPLE
    assert Auto().course([*ends(*hard, depth=1), *ends(("9", 1, 0.1))]) is Course.SEARCH


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"sure": 1.5},
        {"spread": -0.1},
        {"split": 0.9},
        {"doubt": 0.8},
        {"agreement": nan},
        {"certain": 1.1},
    ],
)
def test_thresholds_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Auto(**wrong)


def grown(search, lines, value, tokens=60):
    policy = ScriptedPolicy(lines)
    query = Query(Problem("p", "q"), search, Budget(tokens=tokens), 0)
    (tree,) = Scheduler(policy, TableScorer(lambda question, *texts: value)).run([query])
    return tree, policy


def two_steps(*last):
    """Solutions of two steps, without probabilities, whose second is drawn in turn from `last`."""
    drawn = cycle(last)

    def propose(request):
        steps = [replace(step(name), logprobs=()) for name in ("a", next(drawn))]
        at = len(request.state.steps)
        return (tuple(steps[at:] if request.until is Until.END else steps[at : at + 1]),)

    return propose


def test_a_search_that_agrees_stops_after_its_first_samples():
    tree, policy = grown(Auto(), two_steps("b."), 0.9)
    assert len(policy.asked) == 4
    assert texts_of(tree.path(tree.answer)) == ("a", "b.")


def test_a_search_that_does_not_agree_branches_and_one_that_half_agrees_samples():
    _, hard = grown(Auto(), two_steps("b.", "c.", "d.", "e."), 0.9)
    assert ("a",) in hard.prefixes[4:]
    _, half = grown(Auto(), two_steps("b.", "c."), 0.9)
    assert set(half.prefixes) == {()}
    assert len(half.asked) == 30


def test_answers_are_read_by_the_task():
    class Task:
        def answer(self, steps):
            return "the same" if steps[0] == "a" else None

    search = reading(Auto(first=3), Task())
    tree, _ = grown(search, two_steps("b.", "c.", "d.", "e."), 0.9)
    assert tree.spent.policy_calls == 3
    assert json.loads(json.dumps(asdict(search))) == asdict(Auto(first=3))


def test_draws_end_at_solutions_and_where_nothing_may_be_built_on():
    forest = Forest(max_depth=3)
    tree = forest.plant(Problem("p", "q"), 0)
    drawn = [("a", "b."), ("a", "c~"), ("d",), ("a", "b."), ("e", "f", "g")]
    forest.grow(tree, tree.root, tuple(tuple(map(step, names)) for names in drawn))
    found = [(texts_of(forest.state(tree, node).steps), forest.count(node)) for node in forest.ends(tree)]
    assert found == [(("a", "b."), 2), (("a", "c~"), 1), (("e", "f", "g"), 1)]  # "d" may go on
