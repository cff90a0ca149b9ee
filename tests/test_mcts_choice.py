import dataclasses

import numpy as np
import pytest
from fakes import search_tree
from hypothesis import given
from hypothesis import strategies as st

from mcts.choice import Choice, choose
from mcts.tree import NO_NODE, Flag

# 0 -> 1 -> {2, 3}, 0 -> 4: three solutions, of probability .5 * .4 = .2, .5 * .6 = .3 and .5
TREE = dataclasses.replace(
    search_tree([-1, 0, 1, 1, 0], finals=[2, 3, 4], visits=[9, 5, 4, 1, 1]),
    prior=np.asarray([1.0, 0.5, 0.4, 0.6, 0.5], np.float32),
    value=np.asarray([0.5, 0.5, 1.0, 1.0, 0.5], np.float32),
)


def vote(tree, answers):
    return choose(tree, Choice.VOTE, answers)


def test_solutions_that_agree_speak_for_each_other():
    assert vote(TREE, {2: "a", 3: "a", 4: "b"}) == 3  # .2 + .3 against .25
    assert vote(TREE, {2: "a", 3: "b", 4: "b"}) == 3  # .3 + .25 against .2
    assert vote(TREE, {2: "a", 3: "b", 4: "c"}) == 3  # the policy's favourite is valued at half


def test_how_often_the_search_went_somewhere_is_no_vote():
    assert vote(TREE, {2: "a", 4: "b"}) == 4  # 4 draws of .2 against 1 draw of .5 * .5


def test_a_solution_without_an_answer_has_no_say():
    assert vote(TREE, {2: "a", 3: None, 4: None}) == 2
    assert vote(TREE, {2: None}) == vote(TREE, {}) == NO_NODE


def test_draws_count_where_the_policy_tells_no_probabilities():
    untold = dataclasses.replace(TREE, prior=np.asarray([1, 0, 0, 0, 0], np.float32))
    assert vote(untold, {2: "a", 3: "b", 4: "b"}) == 2  # 4 against 1 + .5


def test_without_values_the_policy_decides():
    unvalued = dataclasses.replace(TREE, value=np.full(5, np.nan, np.float32))
    assert vote(unvalued, {2: "a", 3: "b", 4: "c"}) == 4


@given(st.permutations([2, 3, 4]), st.lists(st.sampled_from("ab"), min_size=3, max_size=3))
def test_the_order_of_the_solutions_does_not_matter(order, answers):
    named = dict(zip([2, 3, 4], answers, strict=True))
    assert vote(TREE, {node: named[node] for node in order}) == vote(TREE, named)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_scale_of_the_values_does_not_matter(scale):
    scaled = dataclasses.replace(TREE, value=TREE.value * np.float32(scale))
    for answers in ({2: "a", 3: "a", 4: "b"}, {2: "a", 3: "b", 4: "c"}):
        assert vote(scaled, answers) == vote(TREE, answers)


def test_a_checker_goes_before_every_choice():
    flags = TREE.flags.copy()
    flags[4] |= Flag.ACCEPTED
    judged = dataclasses.replace(TREE, flags=flags, answer=4)
    for how in Choice:
        assert choose(judged, how, {2: "a", 3: "a", 4: "b"}) == 4


def test_every_choice_by_hand():
    answers = {2: "a", 3: "b", 4: "b"}
    value = np.asarray([0.5, 0.5, 0.3, 0.9, 0.95], np.float32)
    tree = dataclasses.replace(TREE, value=value, answer=4)
    assert choose(tree, Choice.BEST, answers) == 4
    assert choose(tree, Choice.MAJORITY, answers) == 2  # 4 draws against 1 + 1
    assert choose(tree, Choice.WEIGHTED, answers) == 4  # 4 * .3 against .9 + .95
    assert choose(tree, Choice.VOTE, answers) == 4  # .2 * .3 against .3 * .9 + .5 * .95
    passing = dataclasses.replace(tree, value=np.asarray([0.5, 0.5, 0.7, 0.91, 0.95], np.float32))
    assert choose(passing, Choice.THRESHOLD, answers) == 3  # the first, not the best


@pytest.mark.parametrize("how", list(Choice))
def test_without_a_solution_there_is_nothing_to_choose(how):
    assert choose(search_tree([-1, 0]), how, {}) == NO_NODE


def test_alphallms_best_leaf_and_its_path_may_differ():
    # Means: 1 has 3/5, beneath it 2 has 2/4 and 3 has 1/1; 4 has .8/1. The path goes to 4, the best leaf is 3.
    tree = dataclasses.replace(TREE, value_sum=np.asarray([4, 3, 2, 1, 0.8]))
    assert choose(tree, Choice.DESCENT, {}) == 4
    assert choose(tree, Choice.MEAN, {}) == 3
    # With 4 out of favour the path goes over 1.
    lower = dataclasses.replace(tree, value_sum=np.asarray([4, 3, 2, 0.1, 0.2]))
    assert choose(lower, Choice.DESCENT, {}) == 2


def test_a_path_keeps_to_where_a_solution_lies():
    tree = search_tree([-1, 0, 0, 2], finals=[3], visits=[3, 1, 2, 1])
    tree = dataclasses.replace(tree, value_sum=np.asarray([1, 0.9, 0.2, 0.1]))
    assert choose(tree, Choice.DESCENT, {}) == 3
    none = search_tree([-1, 0], finals=[])
    assert choose(none, Choice.DESCENT, {}) == choose(none, Choice.MEAN, {}) == NO_NODE
