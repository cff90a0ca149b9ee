import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prm_tiny import state

from mcts.tree import NO_NODE, SearchTree
from mcts.types import Problem, Spent, Step, StepEnd
from prm.labels import LabelledState, apart, balanced, from_tree, select

NAN = math.nan


def tree_of(parents: list[int]) -> SearchTree:
    """A tree whose step to node i reads `si`."""
    count = len(parents)
    return SearchTree(
        problem=Problem("p", "q"),
        strategy="test",
        seed=0,
        spent=Spent(),
        answer=NO_NODE,
        steps=(None, *(Step(f"s{i}") for i in range(1, count))),
        parent=np.array(parents, np.int32),
        visits=np.ones(count, np.int32),
        value_sum=np.zeros(count),
        value=np.zeros(count, np.float32),
        prior=np.ones(count, np.float32),
        flags=np.zeros(count, np.uint16),
    )


def spelt(states: list[LabelledState]) -> list[tuple[str, list[float | None]]]:
    return [
        (
            " ".join(step.text for step in item.state.steps),
            [None if math.isnan(label) else label for label in item.labels],
        )
        for item in states
    ]


def labels_of(*labels: float) -> np.ndarray:
    return np.array(labels, np.float32)


def test_shared_prefixes_are_labelled_on_the_first_path_only():
    tree = tree_of([NO_NODE, 0, 0, 1, 1, 3])  # paths 0-2, 0-1-4 and 0-1-3-5, leaves in order 2, 4, 5
    assert spelt(from_tree(tree, labels_of(0.0, 0.25, 0.5, 0.75, 1.0, 0.125))) == [
        ("s2", [0.0, 0.5]),
        ("s1 s4", [None, 0.25, 1.0]),
        ("s1 s3 s5", [None, None, 0.75, 0.125]),
    ]


def test_paths_end_at_their_last_new_label_and_those_without_one_are_dropped():
    tree = tree_of([NO_NODE, 0, 1, 2, 0, 1])  # leaves 3, 4, 5
    assert spelt(from_tree(tree, labels_of(NAN, 0.5, NAN, NAN, NAN, NAN))) == [("s1", [None, 0.5])]
    assert from_tree(tree, labels_of(*[NAN] * 6)) == []


def test_a_bare_root_can_carry_a_label():
    assert spelt(from_tree(tree_of([NO_NODE]), labels_of(0.5))) == [("", [0.5])]


@st.composite
def labelled_trees(draw):
    parents = [NO_NODE, *(draw(st.integers(0, i)) for i in range(draw(st.integers(0, 20))))]
    label = st.one_of(st.just(NAN), st.floats(0.0, 1.0, width=32))
    return tree_of(parents), labels_of(*(draw(label) for _ in parents))


@given(labelled_trees())
def test_every_label_is_given_once_to_the_path_of_its_node(case):
    tree, labels = case
    node_of = {tuple(step.text for step in tree.path(node)): node for node in range(len(labels))}
    given_labels: dict[int, float] = {}
    for item in from_tree(tree, labels):
        texts = tuple(step.text for step in item.state.steps)
        assert not math.isnan(item.labels[-1])
        for k, value in enumerate(item.labels):
            if not math.isnan(value):
                node = node_of[texts[:k]]
                assert node not in given_labels
                given_labels[node] = value
    assert given_labels == {int(node): float(labels[node]) for node in np.flatnonzero(~np.isnan(labels))}


def test_labels_of_another_tree_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(1,\)"):
        from_tree(tree_of([NO_NODE]), labels_of(0.5, 0.5))


def test_weights_go_with_the_labels_of_their_nodes():
    tree = tree_of([NO_NODE, 0, 0, 1])  # paths 0-2 and 0-1-3
    states = from_tree(tree, labels_of(0.0, 0.25, NAN, 1.0), labels_of(9.0, 2.0, 0.5, 1.0))
    assert [(item.labels, item.weights) for item in states] == [((0.0,), (9.0,)), ((NAN, 0.25, 1.0), (9.0, 2.0, 1.0))]
    assert [item.weights for item in from_tree(tree, labels_of(0.0, 0.25, NAN, 1.0))] == [(1.0,), (1.0, 1.0, 1.0)]


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -0.5), (1.0, math.inf), (1.0, NAN)])
def test_weights_that_do_not_fit_the_steps_or_are_below_0_are_refused(weights):
    with pytest.raises(ValueError, match=r"weights .*expected"):
        LabelledState(state("a", "b"), (0.5, 0.5), weights)


@pytest.mark.parametrize("labels", [(0.5,), (0.5, 1.5), (-0.5, 0.5), (0.5, 0.5, 0.5)])
def test_labels_that_do_not_fit_the_steps_or_the_unit_interval_are_refused(labels):
    with pytest.raises(ValueError, match="problem 'p'"):
        LabelledState(state("a", "b"), labels)


def test_equal_solutions_become_one_with_the_mean_of_their_labels():
    merged = select(
        [
            LabelledState(state("a", "b"), (NAN, 0.0)),
            LabelledState(state("a", "c"), (0.5, NAN)),
            LabelledState(state("a", "b", problem="again"), (NAN, 0.5)),
            LabelledState(state("a", "b"), (1.0, 0.25)),
        ],
        per_problem=9,
        seed=0,
    )
    assert spelt(merged) == [("b", [1.0, 0.25]), ("c", [0.5, None])]


def test_a_final_and_an_open_step_of_the_same_text_are_different_solutions():
    pair = [LabelledState(state("a", "b"), (NAN, 0.0)), LabelledState(state("a", "b", final=True), (NAN, 1.0))]
    assert select(pair, per_problem=9, seed=0) == pair
    assert [item.state.steps[0].end for item in pair] == [StepEnd.DELIMITER, StepEnd.FINAL]


@given(st.integers(1, 6), st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_cap_holds_for_each_question_and_the_choice_does_not_depend_on_the_order(cap, seed, rng):
    data = [LabelledState(state(question, f"s{i}"), (NAN, i / 10)) for question in "abc" for i in range(5)]
    shuffled = rng.sample(data, len(data))
    chosen = select(data, per_problem=cap, seed=seed)
    assert {item.state for item in chosen} == {item.state for item in select(shuffled, per_problem=cap, seed=seed)}
    assert [item for item in data if item in chosen] == chosen
    for question in "abc":
        assert sum(item.state.problem.question == question for item in chosen) == min(cap, 5)


def test_another_seed_chooses_other_solutions():
    data = [LabelledState(state("a", f"s{i}"), (NAN, 0.5)) for i in range(50)]
    assert select(data, per_problem=10, seed=0) != select(data, per_problem=10, seed=1)


def test_equal_solutions_with_weights_have_the_weighted_mean_of_their_labels():
    twins = [
        LabelledState(state("a", "b"), (NAN, 1.0), (5.0, 3.0)),
        LabelledState(state("a", "b"), (0.5, 0.0), (2.0, 1.0)),
    ]
    [merged] = select(twins, per_problem=9, seed=0)
    assert (merged.labels, merged.weights) == ((0.5, 0.75), (2.0, 2.0))


def test_balanced_hard_labels_weigh_as_much_good_as_bad_and_together_as_before():
    """Good 1 + 2, bad 1: a = 4/6, b = 4/2."""
    data = [LabelledState(state("a", "b"), (1.0, 1.0), (1.0, 2.0)), LabelledState(state("a", "c"), (NAN, 0.0))]
    first, second = balanced(data)
    assert (first.labels, first.weights) == ((1.0, 1.0), pytest.approx((2 / 3, 4 / 3)))
    assert (second.labels[1], second.weights) == (0.0, pytest.approx((1.0, 2.0)))


def test_a_soft_label_is_balanced_as_the_good_and_the_bad_draws_it_is_made_of():
    """One label of 1/4 stands for one good draw and three bad ones: balanced, it is 1/2."""
    [item] = balanced([LabelledState(state("a"), (0.25,), (4.0,))])
    assert (item.labels, item.weights) == (pytest.approx((0.5,)), pytest.approx((4.0,)))


@given(
    st.lists(st.tuples(st.one_of(st.just(NAN), st.floats(0, 1)), st.floats(0, 9)), min_size=1, max_size=9),
    st.floats(0.01, 0.99),
)
def test_balancing_keeps_the_total_and_halves_it(given_labels, value):
    """And the loss it makes is that of good and bad shares, each counted by its own factor."""
    labels, weights = [1.0, 0.0], [1.0, 1.0]
    for label, weight in given_labels:
        labels.append(label)
        weights.append(weight)
    [item] = balanced([LabelledState(state("a", *"b" * (len(labels) - 1)), tuple(labels), tuple(weights))])

    def shares(labels, weights):
        known = [(y, w) for y, w in zip(labels, weights, strict=True) if not math.isnan(y)]
        return sum(w * y for y, w in known), sum(w * (1 - y) for y, w in known)

    good, bad = shares(labels, weights)
    assert shares(item.labels, item.weights) == pytest.approx([(good + bad) / 2] * 2)
    split = -(good * math.log(value) / good + bad * math.log(1 - value) / bad) * (good + bad) / 2
    now_good, now_bad = shares(item.labels, item.weights)
    assert -(now_good * math.log(value) + now_bad * math.log(1 - value)) == pytest.approx(split)


def test_labels_of_one_kind_cannot_be_balanced_and_stay():
    data = [LabelledState(state("a", "b"), (NAN, 1.0)), LabelledState(state("b"), (1.0,), (0.5,))]
    assert balanced(data) == data
    assert balanced([]) == []


def test_a_share_of_the_problems_is_held_out_whole_by_hash():
    data = [LabelledState(state(f"q{i}", f"s{j}"), (NAN, 1.0)) for i in range(200) for j in range(3)]
    kept, held_out = apart(data, 0.2)
    assert sorted(map(repr, kept + held_out)) == sorted(map(repr, data))
    questions = {item.state.problem.question for item in held_out}
    assert not questions & {item.state.problem.question for item in kept}
    assert 20 <= len(questions) <= 60
    assert apart(data[::-1], 0.2)[1] == held_out[::-1]
    assert apart(data, 0.1)[1] == [item for item in held_out if item in apart(data, 0.1)[1]]
    assert apart(data, 0.0) == (data, [])
