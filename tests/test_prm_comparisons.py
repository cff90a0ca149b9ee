"""Which steps and solutions a pairwise PRM compares."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prm_tiny import state

from prm.comparisons import comparisons
from prm.labels import LabelledState

NAN = math.nan


def labelled(*steps, labels, final=False, question="q"):
    return LabelledState(state(question, *steps, final=final), (NAN, *labels))


def spelt(found):
    """Each comparison as the texts of its good and its bad prefixes."""
    return [
        tuple(["/".join(step.text for step in one.state.steps) for one in side] for side in (it.good, it.bad))
        for it in found
    ]


def test_of_siblings_the_two_highest_are_good_and_the_two_lowest_bad():
    data = [
        labelled("a", "f", labels=(0.5, 1.0)),
        labelled("a", "g", labels=(NAN, 0.0)),
        labelled("b", labels=(0.1,)),
        labelled("c", labels=(0.9,)),
        labelled("d", labels=(0.7,)),
        labelled("e", labels=(0.0,)),
    ]
    assert spelt(comparisons(data)) == [(["c", "d"], ["e", "b"]), (["a/f", "a/g"], ["a/g", "a/f"])]
    first, second = comparisons(data)
    assert len(first.pairs()) == 4
    assert [(good.label, bad.label) for good, bad in second.pairs()] == [(1.0, 0.0)]


def test_steps_without_a_label_of_another_state_or_problem_are_not_compared():
    data = [
        labelled("a", labels=(1.0,)),
        labelled("b", labels=(NAN,)),
        labelled("b", "c", labels=(NAN, 0.0)),
        labelled("d", labels=(0.0,), question="another"),
    ]
    assert comparisons(data) == []


def test_equal_labels_make_no_pair():
    assert comparisons([labelled("a", labels=(1.0,)), labelled("b", labels=(1.0,))]) == []


def test_final_steps_are_compared_over_the_whole_problem_by_the_mean_along_their_way():
    """Right: xa 1, x .8 (mean .9); yb 1, y .4 (.7); zc 1, z .2 (.6). Wrong: xd 0 (.4), yd 0 (.2), zd 0 (.1)."""
    data = [
        labelled("x", "a", labels=(0.8, 1.0), final=True),
        labelled("x", "d", labels=(NAN, 0.0), final=True),
        labelled("y", "b", labels=(0.4, 1.0), final=True),
        labelled("y", "d", labels=(NAN, 0.0), final=True),
        labelled("z", "c", labels=(0.2, 1.0), final=True),
        labelled("z", "d", labels=(NAN, 0.0), final=True),
    ]
    siblings, finals = spelt(comparisons(data))
    assert siblings == (["x", "y"], ["z", "y"])
    assert finals == (["x/a", "y/b"], ["z/d", "y/d"])


def test_labels_of_outcomes_alone_compare_solutions_alone():
    data = [labelled("x", "a", labels=(NAN, 1.0), final=True), labelled("y", "d", labels=(NAN, 0.0), final=True)]
    assert spelt(comparisons(data)) == [(["x/a"], ["y/d"])]


@given(st.randoms(use_true_random=False))
def test_neither_the_choice_nor_its_order_depends_on_the_order_of_the_data(rng):
    data = [labelled(f"s{i}", labels=(float(i % 2),)) for i in range(9)]
    assert comparisons(rng.sample(data, len(data))) == comparisons(data)
