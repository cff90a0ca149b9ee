import math
from random import Random

import naive
import numpy as np
import pytest
from arenas import Arena, dice, forests, seeds, select, trees
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts import kernels
from mcts.kernels import prefix as branching
from mcts.kernels import select as walks
from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Flag


@settings(max_examples=60, deadline=None)
@given(forests(valued=False), dice)
def test_a_new_record_is_clean_and_children_are_chained_in_order_of_creation(forest, placement):
    arena = Arena(forest, placement)
    arena.assert_equal(forest)
    for tree in forest:
        for node in tree:
            chained, child = [], int(arena.nodes[arena.id_of[node]]["first_child"])
            while child != NO_NODE:
                chained.append(arena.node_at[child])
                last, child = child, int(arena.nodes[child]["next_sibling"])
            assert chained == node.children
            assert arena.ledger[arena.id_of[node]]["last_child"] == (last if chained else NO_NODE)
            assert arena.ledger[arena.id_of[node]]["children"] == len(node.children)


@settings(max_examples=150, deadline=None)
@given(
    forests(expanded=True),
    st.lists(seeds, min_size=3, max_size=3),
    st.sampled_from([0.0, 0.5, 1.4]),
    st.sampled_from([1.0, 2.0]),
    st.sampled_from([0.0, 0.9]),
    dice,
)
def test_select_uct_equals_its_twin_wherever_the_records_lie(forest, seeds, exploration, factor, bonus, placement):
    roots, seeds = [tree[0] for tree in forest], seeds[: len(forest)]
    expected = [
        naive.select_uct(root, seed, exploration, factor, bonus) for root, seed in zip(roots, seeds, strict=True)
    ]
    for _ in range(2):
        arena = Arena(forest, placement)
        assert select(kernels.select_uct, arena, roots, seeds, exploration, factor, bonus) == expected
        arena.assert_equal(forest)
    for leaf in filter(None, expected):
        assert not any(node.is_(Flag.CLOSED) for node in leaf.upwards())


@settings(max_examples=60, deadline=None)
@given(trees(expanded=True, valued=False), seeds, dice)
def test_select_uct_passes_over_children_without_a_value(tree, seed, placement):
    expected = naive.select_uct(tree[0], seed, 0.5, 2.0, 0.9)
    assert select(kernels.select_uct, Arena([tree], placement), tree[:1], [seed], 0.5, 2.0, 0.9) == [expected]


@settings(max_examples=150, deadline=None)
@given(
    forests(),
    st.lists(seeds, min_size=3, max_size=3),
    st.sampled_from([0.5, 3.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.integers(0, 4),
    dice,
)
def test_select_prefix_equals_its_twin_wherever_the_records_lie(
    forest, seeds, strength, doubt, share, opening, placement
):
    roots, seeds = [tree[0] for tree in forest], seeds[: len(forest)]
    how = (strength, doubt, share, opening)
    expected = [naive.select_prefix(root, seed, *how) for root, seed in zip(roots, seeds, strict=True)]
    for _ in range(2):
        arena = Arena(forest, placement)
        assert select(kernels.select_prefix, arena, roots, seeds, *how) == expected
        arena.assert_equal(forest)


@settings(max_examples=60, deadline=None)
@given(trees(valued=False), seeds, dice)
def test_select_prefix_falls_back_to_the_root_where_nothing_has_a_value(tree, seed, placement):
    expected = naive.select_prefix(tree[0], seed, 3.0, 0.5, 0.0, 0)
    assert select(kernels.select_prefix, Arena([tree], placement), tree[:1], [seed], 3.0, 0.5, 0.0, 0) == [expected]


def test_the_branching_index_by_hand():
    """Three quarters of the root's mass were seen; solutions have three steps."""
    root = naive.Node(0, value=0.5)
    children = [naive.Node(ordinal, root, prior=prior) for ordinal, prior in ((1, 0.5), (2, 0.25))]
    arena = Arena([[root, *children]], Random(0))
    index = [
        kernels.branching_index(arena.nodes, arena.ledger, node, 0.5, 3.0) for node in arena.ids([root, *children])
    ]
    # The root: a new step with .25, then one step or three. A child: all is new there.
    assert index == pytest.approx([0.25 * 0.5 / (1 + 0.25 * 2), 0.5 / 2, 0.5 / 2])


def test_a_policy_without_probabilities_exhausts_a_prefix_by_drawing_nothing_new():
    root = naive.Node(0, value=0.5, visits=1, draws=9)
    only = naive.Node(1, root, value=0.5, prior=UNKNOWN_PRIOR)
    arena = Arena([[root, only]], Random(0))
    (node,) = arena.ids([root])
    assert kernels.branching_index(arena.nodes, arena.ledger, node, 0.25, 1.0) == pytest.approx(
        (1 + 1) / (1 + 9) * 0.25
    )


def test_what_is_expected_of_a_prefix_by_hand():
    """Of two draws at the root one was worth .9, one .3; with the root's own .6 the mean is .6."""
    root = naive.Node(0, value=0.6)
    children = [naive.Node(ordinal, root, value=value, count=1) for ordinal, value in ((1, 0.9), (2, 0.3))]
    arena = Arena([[root, *children]], Random(0))
    assert kernels.mean_value(arena.nodes, arena.ledger, arena.id_of[root]) == pytest.approx(0.6)
    p = kernels.expected_success
    assert p(1.0, 1.0, 0.6, 0.0, 2, 3.0, 0.5) == pytest.approx(3 * 0.6 / 5)  # a root: two failures
    assert p(0.36, 0.6, 0.9, 0.0, 0, 3.0, 1.0) == pytest.approx(0.36 * 1.5)  # full doubt: only better than its like
    assert p(0.36, 0.6, 0.9, 0.0, 0, 3.0, 0.0) == pytest.approx(0.9)  # none: as the scorer says
    assert p(0.36, 0.6, 0.9, 0.0, 1, 3.0, 0.5) == pytest.approx(3 * 0.9 * 0.6**0.5 / 4)
    assert p(0.9, 0.3, 0.9, 2.0, 2, 3.0, 1.0) == 1.0
    for value, mean in ((math.nan, 0.6), (0.9, 0.0)):
        assert p(0.36, mean, value, 0.0, 0, 3.0, 1.0) == pytest.approx(0.36)


def test_equal_siblings_are_told_apart_by_the_seed_of_the_tree_and_each_gets_its_turn():
    root = naive.Node(0, flags=int(Flag.EXPANDED), value=0.5)
    children = [naive.Node(ordinal, root, value=0.5) for ordinal in range(1, 5)]
    arena = Arena([[root, *children]], Random(0))
    chosen = [select(kernels.select_uct, arena, [root], [seed], 0.5, 2.0, 0.9)[0].ordinal for seed in range(400)]
    assert min(chosen.count(child.ordinal) for child in children) > 60


def test_the_factor_under_the_root_of_the_bound_can_decide_the_choice():
    root = naive.Node(0, flags=int(Flag.EXPANDED), visits=20)
    tried = naive.Node(1, root, visits=16, value=0.875)
    fresh = naive.Node(2, root, visits=4, value=0.5)
    arena = Arena([[root, tried, fresh]], Random(0))
    assert select(kernels.select_uct, arena, [root], [0], 0.75, 1.0, 0.9) == [tried]
    assert select(kernels.select_uct, arena, [root], [0], 0.75, 2.0, 0.9) == [fresh]


@settings(max_examples=60, deadline=None)
@given(forests(), dice, dice)
def test_credit_equals_its_twin_and_leaves_what_is_above_the_prefix_alone(forest, rng, placement):
    arena = Arena(forest, placement)
    for _ in range(2):
        leaves, prefixes, evidence = [], [], []
        for tree in forest:
            leaves.append(rng.choice(tree))
            prefixes.append(rng.choice(list(leaves[-1].upwards())))
            evidence.append(rng.random())
        kernels.credit(arena.nodes, arena.ledger, arena.ids(leaves), arena.ids(prefixes), np.asarray(evidence))
        for leaf, prefix, amount in zip(leaves, prefixes, evidence, strict=True):
            naive.credit(leaf, prefix, amount)
        arena.assert_equal(forest)


@settings(max_examples=60, deadline=None)
@given(forests(), dice, dice)
def test_backup_child_mean_equals_its_twin(forest, rng, placement):
    arena = Arena(forest, placement)
    for _ in range(3):
        leaves = [rng.choice(tree) for tree in forest]
        kernels.backup_child_mean(arena.nodes, arena.ids(leaves))
        for leaf in leaves:
            naive.backup_child_mean(leaf)
        arena.assert_equal(forest)


@settings(max_examples=60, deadline=None)
@given(forests(), dice, dice)
def test_close_equals_its_twin(forest, rng, placement):
    for tree in forest:
        for node in tree:
            node.flags |= Flag.EXPANDED if rng.randint(0, 3) else 0
    arena = Arena(forest, placement)
    for leaves in zip(*(reversed(tree) for tree in forest), strict=False):
        kernels.close(arena.nodes, arena.ids(leaves))
        for leaf in leaves:
            naive.close(leaf)
        arena.assert_equal(forest)


@st.composite
def verified_trees(draw: st.DrawFn) -> tuple[list[int], list[bool], list[bool], list[int]]:
    """Parents, correct and wrong leaves, and how often each node was drawn."""
    size, rng, length = draw(st.integers(1, 30)), draw(dice), draw(st.sampled_from([1, 3, 30]))
    parent = [NO_NODE, *(rng.randint(max(0, n - length), n - 1) for n in range(1, size + 1))]
    verdicts = [rng.choice("cwwu") if n not in parent else "" for n in range(len(parent))]
    correct, wrong = ([verdict == kind for verdict in verdicts] for kind in "cw")
    return parent, correct, wrong, [rng.randint(0, 3) for _ in parent]


@settings(max_examples=100, deadline=None)
@given(verified_trees())
def test_infer_labels_equals_the_released_algorithm(tree):
    parent, correct, wrong, _ = tree
    remaining, hard, progress = (
        np.full(len(parent), 7, np.int32),
        np.full(len(parent), 7, np.float32),
        np.full(len(parent), 7, np.float32),
    )
    kernels.infer_labels(
        np.asarray(parent, np.int32), np.asarray(correct), np.asarray(wrong), remaining, hard, progress
    )
    expected = naive.infer_labels(parent, correct, wrong)
    for found, twin in zip((remaining, hard, progress), expected, strict=True):
        np.testing.assert_array_equal(found, twin)


@settings(max_examples=100, deadline=None)
@given(verified_trees())
def test_success_rates_equal_their_twin(tree):
    parent, correct, wrong, draws = tree
    rates = np.full(len(parent), 7, np.float32)
    kernels.success_rates(
        np.asarray(parent, np.int32),
        np.asarray(correct),
        np.asarray(wrong),
        np.asarray(draws, np.int32),
        rates,
    )
    np.testing.assert_array_equal(rates, naive.success_rates(parent, correct, wrong, draws))


@pytest.mark.parametrize("module", [branching, walks])
@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_ties_fall_by_splitmix64(module, seed):
    ordinals = [0, 1, 2, 77, 2**31 - 1]
    assert [int(module._tie_break(np.uint64(seed), ordinal)) for ordinal in ordinals] == [
        naive.tie_break(seed, ordinal) for ordinal in ordinals
    ]
