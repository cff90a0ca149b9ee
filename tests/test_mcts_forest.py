from math import exp, isnan, nan

import naive
import numpy as np
import pytest
from fakes import HashChecker, World, assert_same_tree, step
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.forest import Forest, Tree
from mcts.kernels import Fault
from mcts.perform import perform
from mcts.requests import (
    BackupChildMean,
    BackupMax,
    BackupMean,
    Check,
    Credit,
    Expand,
    Grow,
    Release,
    Revalue,
    SelectPrefix,
    SelectPuct,
    SelectUct,
)
from mcts.tree import NO_NODE, ROOT, Flag, SearchTree
from mcts.types import Problem, Propose, Spent, State, Step, StepEnd, Until

UCT = SelectUct(0.5, 2.0, 0.9)


class Always:
    def __init__(self, verdict: bool) -> None:
        self.verdict = verdict

    def check(self, problem, steps) -> bool:
        return self.verdict


def plant(forest: Forest, name: str = "p", seed: int = 0) -> Tree:
    return forest.plant(Problem(name, f"question {name}"), seed)


def grow(forest: Forest, tree: Tree, node: int, *names: str) -> list[int]:
    """Add continuations such as `"a b c."` beneath `node`; return where each ends."""
    proposal = tuple(tuple(step(name) for name in line.split(" ")) for line in names)
    (leaves,) = perform(forest, [(tree, Grow(node, proposal))])
    return leaves


def export(forest: Forest, tree: Tree) -> SearchTree:
    return forest.export(tree, strategy="none", temperature=1.0, spent=Spent(), answer=forest.best_final(tree))


def flags(forest: Forest, tree: Tree, node: int) -> Flag:
    return Flag(int(export(forest, tree).flags[tree.nodes.index(node)]))


def test_a_tree_begins_with_the_bare_problem():
    forest = Forest(max_depth=4)
    tree = plant(forest)
    exported = export(forest, tree)
    assert exported.steps == (None,)
    assert exported.parent.tolist() == [NO_NODE]
    assert exported.answer == NO_NODE
    assert isnan(exported.value[ROOT])
    assert forest.state(tree, tree.root) == State(tree.problem)


def test_a_continuation_becomes_one_node_a_step_and_its_state_reads_back():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    (leaf,) = grow(forest, tree, tree.root, "a b c.")
    path = (step("a"), step("b"), step("c."))
    assert forest.state(tree, leaf).steps == path
    assert forest.state(tree, tree.root, path[:1]).steps == path[:1]
    exported = export(forest, tree)
    assert exported.path(3) == path
    assert exported.parent.tolist() == [NO_NODE, 0, 1, 2]
    assert exported.finals().tolist() == [3]


def test_a_step_drawn_twice_is_one_node_and_a_shared_beginning_is_kept_once():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    first, again, other = grow(forest, tree, tree.root, "a b.", "a b.", "a c.")
    assert first == again != other
    assert export(forest, tree).steps == (None, step("a"), step("b."), step("c."))


@pytest.mark.parametrize("ends", [(StepEnd.FINAL, StepEnd.DELIMITER), (StepEnd.DELIMITER, StepEnd.FINAL)])
def test_steps_that_read_alike_but_end_otherwise_are_two_nodes(ends):
    forest = Forest(max_depth=9)
    tree = plant(forest)
    alike = tuple((Step("so it is 4", end=end),) for end in ends)
    leaves = perform(forest, [(tree, Grow(tree.root, alike))])[0]
    assert len(set(leaves)) == 2
    assert [forest.is_final(leaf) for leaf in leaves] == [end is StepEnd.FINAL for end in ends]


def test_the_prior_is_the_probability_of_the_step():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    drawn = Step("a", (1, 2), (-0.25, -0.5))
    perform(forest, [(tree, Grow(tree.root, ((drawn,),)))])
    assert export(forest, tree).prior.tolist() == [1.0, np.float32(exp(-0.75))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", Flag(0)),
        ("a.", Flag.FINAL | Flag.CLOSED),
        ("a~", Flag.CLOSED),
        ("", Flag.CLOSED),
    ],
)
def test_nothing_is_built_on_a_step_that_is_final_or_cut_off_or_says_nothing(name, expected):
    forest = Forest(max_depth=9)
    tree = plant(forest)
    (leaf,) = perform(forest, [(tree, Grow(tree.root, ((step(name),),)))])[0]
    assert flags(forest, tree, leaf) == expected
    assert forest.is_open(leaf) == (not expected)


def test_nothing_is_open_at_or_beneath_the_depth_limit():
    forest = Forest(max_depth=2)
    tree = plant(forest)
    grow(forest, tree, tree.root, "a b c d.")
    assert [forest.is_open(node) for node in tree.nodes] == [True, True, False, False, False]
    assert forest.is_final(tree.nodes[-1])


def test_nothing_is_open_beneath_a_step_that_says_nothing():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    perform(forest, [(tree, Grow(tree.root, ((step("a"), step(""), step("b"), step("c.")),)))])
    assert [forest.is_open(node) for node in tree.nodes] == [True, True, False, False, False]


def test_values_are_written_root_first_and_never_over_a_value_that_is_there():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    (leaf,) = grow(forest, tree, tree.root, "a b")
    middle = tree.nodes[1]
    forest.assign(middle, (0.125, 0.25), (0.125, 0.25))
    forest.assign(leaf, (0.5, 0.75, 1.0), (0.5, 0.75, 1.0))
    assert [forest.value(node) for node in tree.nodes] == [0.125, 0.25, 1.0]


@pytest.mark.parametrize(("verdict", "flag"), [(True, Flag.ACCEPTED), (False, Flag.REJECTED)])
def test_a_verdict_is_kept_on_the_solution(verdict, flag):
    forest = Forest(max_depth=9, checker=Always(verdict))
    tree = plant(forest)
    (leaf,) = grow(forest, tree, tree.root, "a b.")
    assert perform(forest, [(tree, Check(leaf))]) == [verdict]
    assert flags(forest, tree, leaf) == Flag.FINAL | Flag.CLOSED | flag
    assert tree.is_solved == verdict


def test_an_unfinished_solution_is_never_accepted_and_not_shown_to_the_checker():
    forest = Forest(max_depth=9, checker=Always(True))
    tree = plant(forest)
    (leaf,) = grow(forest, tree, tree.root, "a b~")
    assert perform(forest, [(tree, Check(leaf))]) == [False]
    assert not tree.is_solved
    assert flags(forest, tree, leaf) == Flag.CLOSED


def test_without_a_checker_there_is_no_verdict():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    leaves = grow(forest, tree, tree.root, "a b.", "a b~")
    assert perform(forest, [(tree, Check(leaf)) for leaf in leaves]) == [None, None]


@pytest.mark.parametrize(
    ("solutions", "chosen"),
    [  # (value, verdict)
        ([(0.25, None), (0.75, None), (0.5, None)], 1),
        ([(0.5, None), (0.5, None)], 0),
        ([(0.875, False), (0.25, None)], 1),
        ([(0.875, None), (0.25, True)], 1),
        ([(0.125, False), (0.25, False)], 1),
        ([(nan, None), (0.0, None)], 1),
        ([(nan, None)], 0),
    ],
)
def test_the_answer_is_accepted_first_then_not_rejected_then_of_the_highest_value(solutions, chosen):
    forest = Forest(max_depth=9)
    tree = plant(forest)
    leaves = grow(forest, tree, tree.root, *(f"s{i}." for i in range(len(solutions))))
    for leaf, (value, verdict) in zip(leaves, solutions, strict=True):
        forest.assign(leaf, (nan, value), (nan, value))
        if verdict is not None:
            forest.checker = Always(verdict)
            perform(forest, [(tree, Check(leaf))])
    assert forest.best_final(tree) == leaves[chosen]


def test_a_tree_without_a_solution_has_no_answer():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    grow(forest, tree, tree.root, "a b~", "a c")
    assert forest.best_final(tree) == NO_NODE


def test_requests_of_many_trees_and_kinds_are_answered_each_with_its_own_reply():
    forest = Forest(max_depth=9, checker=HashChecker())
    one, two, three = (plant(forest, name) for name in "abc")
    (a,), (b,), (c,) = (grow(forest, tree, tree.root, "x y") for tree in (one, two, three))
    replies = perform(
        forest,
        [
            (one, UCT),
            (two, Credit(b, two.root, 0.5)),
            (two, SelectUct(0.5, 1.0, 0.9)),
            (three, Expand(c)),
            (one, Credit(a, a, 0.25)),
            (three, UCT),
            (one, SelectPrefix(3.0, 0.5, 0.25, 4)),
            (three, Revalue(c, 0.75)),
            (two, Grow(b, ((step("z"),),))),
        ],
    )
    assert replies[0] == one.root
    assert replies[2] == two.root
    assert replies[5] == three.root
    assert replies[6] == one.root
    assert replies[8] == [two.nodes[-1]]
    assert [replies[i] for i in (1, 3, 4, 7)] == [None] * 4
    assert export(forest, one).visits.tolist() == [0, 0, 1]
    assert export(forest, two).visits.tolist() == [1, 1, 1, 0]
    assert export(forest, two).value_sum.tolist() == [0.5, 0.5, 0.5, 0.0]
    assert export(forest, three).value[2] == 0.75
    assert export(forest, three).visits.tolist() == [0, 0, 1]


def test_backing_up_closes_what_is_exhausted():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    a, b = grow(forest, tree, tree.root, "a", "b.")
    (c,) = grow(forest, tree, a, "c.")
    perform(forest, [(tree, Expand(tree.root)), (tree, Expand(a))])
    perform(forest, [(tree, Revalue(c, 0.5)), (tree, Revalue(b, 1.0))])
    perform(forest, [(tree, BackupChildMean(a))])
    assert not any(forest.is_open(node) for node in tree.nodes)
    assert perform(forest, [(tree, UCT)]) == [NO_NODE]
    assert forest.value(a) == 0.5
    assert forest.value(tree.root) == 0.75


def wild(forest: Forest, tree: Tree, seed: int) -> SearchTree:
    """A tree of some dozen nodes with visits and values, the same for the same seed."""
    world = World(vocabulary=4, depth=5)
    proposal = world(Propose(State(tree.problem), 8, Until.END, 1.0, 9, seed))
    leaves = perform(forest, [(tree, Grow(tree.root, proposal))])[0]
    for leaf in leaves:
        values = (0.5,) * (len(forest.state(tree, leaf).steps) + 1)
        forest.assign(leaf, values, values)
    perform(forest, [(tree, Credit(leaf, tree.root, 0.25)) for leaf in leaves])
    return export(forest, tree)


@pytest.mark.parametrize("capacity", [1, 3])
def test_growing_the_arena_changes_nothing(capacity):
    small, large = Forest(max_depth=9, capacity=capacity), Forest(max_depth=9)
    alike = [[plant(forest, str(i), seed=i) for i in range(5)] for forest in (small, large)]
    for seed, (a, b) in enumerate(zip(*alike, strict=True)):
        assert_same_tree(wild(small, a, seed), wild(large, b, seed))


def test_nodes_of_a_released_tree_are_used_again_and_remember_nothing():
    forest, fresh = Forest(max_depth=9), Forest(max_depth=9)
    highest = 0
    for seed in range(40):
        tree = plant(forest, seed=1)
        again = wild(forest, tree, seed)
        highest = max(highest, *tree.nodes)
        forest.release(tree)
        alone = plant(fresh, seed=1)
        assert_same_tree(again, wild(fresh, alone, seed))
    assert highest < 40
    assert tree.nodes == []


def test_releasing_one_tree_leaves_its_neighbours_alone():
    forest = Forest(max_depth=9, capacity=8)
    first, second = plant(forest, "a"), plant(forest, "b")
    wild(forest, first, 1)
    before = wild(forest, second, 2)
    forest.release(first)
    wild(forest, plant(forest, "c"), 3)
    assert_same_tree(before, export(forest, second))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c.", "d~"]), min_size=1, max_size=4), max_size=8))
def test_a_grown_tree_equals_its_twin(lines):
    forest = Forest(max_depth=3)
    tree = plant(forest)
    walk = naive.Walk(tree.problem, 0, World(), lambda state: (), None, max_depth=3, max_tokens=9)
    for line in lines:
        continuation = tuple(step(name) for name in line)
        (leaf,) = perform(forest, [(tree, Grow(tree.root, (continuation,)))])[0]
        assert tree.nodes.index(leaf) == walk.grow(walk.nodes[0], continuation).ordinal
    exported = export(forest, tree)
    assert exported.parent.tolist() == [node.parent.ordinal if node.parent else NO_NODE for node in walk.nodes]
    assert exported.flags.tolist() == [node.flags for node in walk.nodes]
    assert exported.prior.tolist() == [node.prior for node in walk.nodes]
    assert exported.steps == tuple(node.step for node in walk.nodes)


def test_leaves_held_in_one_tuple_differ_and_a_backup_frees_them():
    forest = Forest(max_depth=9)
    tree, other = plant(forest), plant(forest, "q")
    a, b = grow(forest, tree, tree.root, "a", "b")
    perform(forest, [(tree, Expand(tree.root))])
    hold = SelectPuct(hold=True)
    first, alone, second, third = perform(forest, [(tree, hold), (other, hold), (tree, hold), (tree, hold)])
    assert {first, second} == {a, b}
    assert (alone, third) == (other.root, NO_NODE)
    assert forest.fault(tree) == (NO_NODE, Fault.NONE)
    perform(forest, [(tree, BackupMean(first, 0.25)), (tree, Release(second)), (other, BackupMean(alone, 1.0))])
    exported = export(forest, tree)
    assert exported.visits.tolist() == [1, int(first == a), int(first == b)]
    assert exported.value_sum.tolist() == [0.25, 0.25 * (first == a), 0.25 * (first == b)]
    assert exported.flags.tolist() == [Flag.EXPANDED, 0, 0]
    assert forest.fault(tree, counted=True) == (NO_NODE, Fault.NONE)
    assert perform(forest, [(tree, SelectPuct(unvisited_value=9.0))]) == [second]


def test_values_of_one_tree_in_one_batch_are_all_backed_up():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    leaves = grow(forest, tree, tree.root, "a", "b", "c")
    perform(forest, [(tree, BackupMean(leaf, value)) for leaf, value in zip(leaves, (0.5, 0.25, 1.0), strict=True)])
    assert export(forest, tree).value_sum.tolist() == [1.75, 0.5, 0.25, 1.0]
    assert export(forest, tree).visits.tolist() == [3, 1, 1, 1]


def test_the_highest_value_of_the_children_goes_up():
    forest = Forest(max_depth=9)
    tree = plant(forest)
    a, b, _ = grow(forest, tree, tree.root, "a", "b", "unvalued")
    c, d, _ = grow(forest, tree, a, "c.", "d.", "e.")
    for leaf, value in ((c, 0.25), (d, 0.75)):
        forest.assign(leaf, (nan, 0.9, value), (nan, 0.9, value))
    forest.assign(b, (nan, 0.5), (nan, 0.5))
    perform(forest, [(tree, Expand(tree.root)), (tree, Expand(a))])
    perform(forest, [(tree, BackupMax(a))])
    assert [forest.value(node) for node in (tree.root, a)] == [0.75, 0.75]
    assert not forest.is_open(a)
    assert forest.is_open(tree.root)
