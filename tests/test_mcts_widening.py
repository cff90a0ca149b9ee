"""Nodes that are given more continuations later on, and priors of policies that tell none."""

from random import Random

import naive
import numpy as np
import pytest
from arenas import Arena, dice, forests
from fakes import ScriptedPolicy, TableScorer, World, hashed
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts import kernels
from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import MctsStar, Puct, Search
from mcts.tree import Flag, SearchTree
from mcts.types import Problem
from mcts.walk import Query
from mcts.widening import Widening

BOTH = ["progressive", "importance"]


def widen(arena: Arena, leaves: list[naive.Node], how: Widening) -> None:
    where = arena.nodes, arena.ledger, arena.ids(leaves), how.scale
    if how.growth == "progressive":
        kernels.widen_by_visits(*where, how.power, *how.bounds)
    else:
        (kernels.widen_by_importance if how.growth == "importance" else kernels.widen_by_spread)(*where, *how.bounds)


@settings(max_examples=150, deadline=None)
@given(
    forests(expanded=True, valued=False),
    st.builds(
        Widening,
        growth=st.sampled_from(BOTH),
        scale=st.sampled_from([1.0, 3.0]),
        power=st.sampled_from([0.5, 1.0]),
        most=st.sampled_from([1, 3, 16]),
    ),
    dice,
    dice,
)
def test_widening_equals_its_twin_and_leaves_no_fault(forest, how, rng, placement):
    arena = Arena(forest, placement)
    leaves = [rng.choice(tree) for tree in forest]
    widen(arena, leaves, how)
    for leaf in leaves:
        naive.widen(leaf, how)
    arena.assert_equal(forest)
    roots = arena.ids([tree[0] for tree in forest])
    assert kernels.find_fault(arena.nodes, arena.ledger, roots, False) == (-1, kernels.Fault.NONE)


def test_a_node_is_opened_when_its_visits_or_its_importance_ask_for_more():
    def is_opened(how: Widening, visits: int = 0, value: float = 0.5) -> bool:
        root = naive.Node(0, flags=int(Flag.EXPANDED), visits=visits, draws=3, value=0.5)
        child = naive.Node(1, root, value=value)
        arena = Arena([[root, child]], Random(0))
        widen(arena, [root], how)
        return not arena.nodes[arena.id_of[root]]["flags"] & Flag.EXPANDED

    by_visits = Widening("progressive", scale=1.0, power=0.5)
    assert not is_opened(by_visits, visits=9)
    assert is_opened(by_visits, visits=10)
    assert not is_opened(Widening("progressive", most=3), visits=10)
    by_importance = Widening("importance", scale=10.0)
    assert not is_opened(by_importance, value=0.75)
    assert is_opened(by_importance, value=0.125)


def test_an_exhausted_node_opens_again_with_all_its_ancestors():
    gone = int(Flag.EXPANDED | Flag.CLOSED)
    root = naive.Node(0, flags=gone, draws=9)
    inner = naive.Node(1, root, flags=gone, draws=1)
    leaf = naive.Node(2, inner, flags=int(Flag.CLOSED | Flag.FINAL))
    arena = Arena([[root, inner, leaf]], Random(0))
    widen(arena, [leaf], Widening("progressive", most=2))
    assert arena.column("flags")[arena.ids([root, inner, leaf])].tolist() == [Flag.EXPANDED, 0, leaf.flags]


def test_what_is_beneath_leaves_in_flight_is_not_opened():
    root = naive.Node(0, flags=int(Flag.EXPANDED), visits=50, draws=1)
    child = naive.Node(1, root, value=0.5)
    arena = Arena([[root, child]], Random(0))
    leaves = np.empty((1, 1), np.int32)
    kernels.select_puct(
        arena.nodes, arena.ledger, arena.ids([root]), np.zeros(1, np.uint64), 1.0, 1.0, 0.0, True, leaves
    )
    widen(arena, [root], Widening("progressive"))
    assert arena.nodes[arena.id_of[root]]["flags"] & Flag.EXPANDED
    kernels.release(arena.nodes, leaves[:, 0])
    widen(arena, [root], Widening("progressive"))
    assert not arena.nodes[arena.id_of[root]]["flags"] & Flag.EXPANDED


def grow(search: Search, simulations: int, **world: object) -> tuple[SearchTree, ScriptedPolicy]:
    policy = ScriptedPolicy(World(**world))
    scheduler = Scheduler(policy, TableScorer(lambda *state: hashed(*state, grain=1 << 20)))
    (tree,) = scheduler.run([Query(Problem("p", "q"), search, Budget(simulations=simulations), 7)])
    return tree, policy


@pytest.mark.parametrize("kind", [Puct, MctsStar])
@pytest.mark.parametrize("growth", BOTH)
def test_visited_nodes_get_wider_up_to_the_limit_and_no_node_exceeds_it(kind, growth):
    how = Widening(growth, scale=1.5 if growth == "progressive" else 12.0, most=6)
    tree, _ = grow(kind(width=2, widening=how), 120, vocabulary=9, depth=6, final=0.0)
    children = np.bincount(tree.parent[1:], minlength=len(tree.parent))
    assert 2 < children.max() <= 6
    narrow, _ = grow(kind(width=2), 120, vocabulary=9, depth=6, final=0.0)
    assert np.bincount(narrow.parent[1:]).max() == 2


@pytest.mark.parametrize("kind", [Puct, MctsStar])
def test_duplicates_count_as_draws_and_cost_no_node(kind):
    tree, policy = grow(kind(width=1, widening=Widening("progressive", most=5)), 200, vocabulary=1, depth=2, final=0.0)
    assert len(tree.parent) == 3
    at_root = [request for request in policy.asked.values() if not request.state.steps]
    assert sum(request.width for request in at_root) == 5


def test_without_probabilities_a_prior_is_the_share_of_the_draws():
    tree, _ = grow(Puct(width=8), 1, vocabulary=2, final=0.0, with_ids=False)
    assert tree.prior[1:].sum() == 1.0
    assert set(tree.prior[1:] * 8) <= set(range(1, 8))


@pytest.mark.parametrize(("field", "wrong"), [("growth", "wide"), ("scale", 0.0), ("power", -1.0), ("most", 0)])
def test_a_widening_that_makes_no_sense_is_named(field, wrong):
    with pytest.raises(ValueError, match=f"widening.{field}={wrong}"):
        Widening(**{field: wrong})
