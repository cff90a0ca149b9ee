"""A tree that is searched again by its own query comes out as it went in; by another, only as far as its draws go."""

from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree, hashed, script, step, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.choice import Choice, choose
from mcts.errors import InputError
from mcts.kernels.choice import CHOICES
from mcts.pool import Pool
from mcts.pools import Pools
from mcts.replay import replay
from mcts.requests import Draw, Grow, Value
from mcts.scheduler import Scheduler
from mcts.search import Auto, BestOfN, MctsStar, Puct, RolloutBranching, StepBeam, TreeOfThoughtsDfs
from mcts.seeds import seed_of
from mcts.tree import NO_NODE
from mcts.types import Problem, Propose, State, Until
from mcts.walk import Query
from mcts.widening import Widening

SEARCHES = (
    st.builds(BestOfN, width=st.integers(1, 3)),
    st.builds(
        RolloutBranching,
        width=st.integers(1, 3),
        opening=st.integers(0, 4),
        strength=st.sampled_from([1.0, 3.0]),
        doubt=st.sampled_from([0.5, 0.0, 1.0]),
        root_share=st.sampled_from([0.0, 0.25, 1.0]),
    ),
    st.builds(Auto, first=st.integers(1, 3)),
    st.builds(
        Puct,
        width=st.integers(1, 3),
        in_flight=st.sampled_from([1, 3]),
        widening=st.sampled_from([Widening(), Widening("progressive", most=4)]),
    ),
    st.builds(MctsStar, width=st.integers(1, 3), rollout_steps=st.just(0), temperature=st.just(1.0)),
    st.builds(StepBeam, beams=st.integers(1, 2), width=st.integers(1, 3)),
    st.builds(TreeOfThoughtsDfs, width=st.integers(1, 3), temperature=st.just(1.0)),
)


@dataclass(frozen=True)
class Deep:
    """Draws whole solutions at any open node."""

    temperature: float = 1.0
    name: str = "deep"

    def simulate(self, forest, tree):
        places = [node for node in tree.nodes if forest.is_open(node)]
        node = Random(seed_of(tree.seed, len(tree.draws))).choice(places)
        proposal = yield Draw(node, 1, Until.END, self.temperature)
        (end,) = yield Grow(node, proposal)
        yield Value(end)
        return True


WORLDS = st.builds(
    World, depth=st.integers(2, 5), truncated=st.sampled_from([0.0, 0.15]), empty=st.sampled_from([0.0, 0.1])
)


def scorer(grain=1 << 20):
    return TableScorer(lambda *texts: hashed(*texts, grain=grain))


def grow(queries, world, *, scorer=None, checker=None, max_depth=16):
    scheduler = Scheduler(ScriptedPolicy(world), scorer, checker=checker, max_depth=max_depth)
    trees = {tree.problem.id: tree for tree in scheduler.run(queries)}
    return [trees[query.problem.id] for query in queries]


@st.composite
def settings_of_searches(draw):
    return draw(st.sampled_from(SEARCHES).flatmap(lambda one: one))


@settings(max_examples=60, deadline=None)
@given(
    settings_of_searches(),
    WORLDS,
    st.sampled_from(Aggregate),
    st.sampled_from([None, HashChecker(4)]),
    st.sampled_from([None, 3, 1 << 20]),
    st.integers(2, 5),
    st.integers(0, 2**64 - 1),
)
def test_by_its_own_query_a_tree_comes_out_as_it_went_in(search, world, how, checker, grain, max_depth, seed):
    queries = [
        Query(Problem(str(i), f"q{i}"), search, Budget(tokens=60), seed ^ i, how, marks=(5, 20, 60)) for i in range(2)
    ]
    trees = grow(queries, world, scorer=grain and scorer(grain), checker=checker, max_depth=max_depth)
    again = replay(queries, list(map(Pool, trees)), checker=checker, scored=grain is not None, max_depth=max_depth)
    for tree, one in zip(trees, again, strict=True):
        assert one.covered == 3
        for online, offline in zip((tree, *tree.at_marks), (one.tree, *one.tree.at_marks), strict=True):
            assert_same_tree(replace(online, at_marks=()), replace(offline, at_marks=()))


def tree_of(search, budget, **world):
    query = Query(Problem("p", "q"), search, Budget(tokens=budget), 7)
    return grow([query], World(**world), scorer=scorer())[0]


def again(pool, search, *marks, scored=True):
    query = Query(Problem("p", "q"), search, Budget(tokens=marks[-1]), 7, marks=marks)
    return replay([query], [pool], checker=None, scored=scored, max_depth=16)[0]


def test_a_search_with_less_is_covered_and_one_with_more_is_covered_up_to_its_last_draw():
    tree = tree_of(BestOfN(), 100)
    assert again(Pool(tree), BestOfN(), 20, 50).covered == 2
    more = again(Pool(tree), BestOfN(), 50, 100, 200)
    assert more.covered == 2
    assert more.tree.spent.tokens_generated == tree.spent.tokens_generated
    assert_same_tree(replace(more.tree, at_marks=(), spent=tree.spent), tree)  # it asked once more


def test_another_setting_sees_what_it_would_have_seen_online():
    """Here the policy itself replies from stacks: the i-th draw at a prefix is the same for everybody."""

    def stacked(request: Propose):
        return tuple(
            World()(replace(request, width=1, seed=seed_of(request.drawn + i, *texts_of(request.state.steps))))[0]
            for i in range(request.width)
        )

    def run(search, tokens):
        scheduler = Scheduler(ScriptedPolicy(stacked), scorer())
        return next(scheduler.run([Query(Problem("p", "q"), search, Budget(tokens=tokens), 7)]))

    pool = Pool(run(RolloutBranching(), 400))
    covered = 0
    for share in (0.3, 0.4, 0.6):
        for strength in (1.0, 3.0, 10.0):
            other = RolloutBranching(root_share=share, strength=strength)
            found = again(pool, other, 30)
            covered += found.covered
            if found.covered:
                assert_same_tree(replace(found.tree, at_marks=()), run(other, 30))
    assert covered >= 2


def test_a_step_is_the_beginning_of_a_solution_drawn_there_and_no_solution_is_made_of_a_step():
    tree = tree_of(BestOfN(), 30, final=0.0)
    pool = Pool(tree)
    asked = Propose(State(tree.problem), 2, Until.STEP, 1.0, 16, 0)
    first, second = (tree.path(int(end)) for end in tree.record.end[:2])
    assert pool.proposal(asked) == (first[:1], second[:1])
    steps = Pool(tree_of(Puct(width=2), 30, final=0.0))
    assert steps.proposal(asked) is not None
    assert steps.proposal(replace(asked, until=Until.END)) is None


def test_a_draw_is_dealt_once_at_its_own_prefix_in_order_and_at_its_own_temperature():
    lines = {(): ["a", "b.", "a", "b."], ("a",): ["c."]}
    policy = script(lines)
    scheduler = Scheduler(ScriptedPolicy(lambda request: policy(request)[: request.width]), scorer())
    query = Query(Problem("p", "q"), Puct(width=4), Budget(simulations=1), 7)
    tree = next(scheduler.run([query]))
    pool = Pool(tree)
    root, beneath = State(tree.problem), State(tree.problem, (step("a"),))
    asked = Propose(root, 1, Until.STEP, 1.0, 16, 0)
    dealt = [pool.proposal(replace(asked, drawn=drawn)) for drawn in range(5)]
    assert [one and one[0][0].text for one in dealt] == ["a", "b.", "a", "b.", None]
    assert pool.proposal(replace(asked, width=5)) is None
    assert pool.proposal(replace(asked, state=beneath)) is None
    assert pool.proposal(replace(asked, state=State(tree.problem, (step("never"),)))) is None
    assert pool.proposal(replace(asked, temperature=0.7)) is None


def test_a_value_that_was_never_asked_ends_the_coverage():
    pool = Pool(tree_of(BestOfN(), 60))
    assert again(pool, BestOfN(), 60).covered == 1
    pool.record.scores[int(pool.record.end[2])] = np.nan
    found = again(pool, BestOfN(), 1, 60)
    assert (found.covered, found.tree.failure) == (1, "")
    assert again(pool, BestOfN(), 60, scored=False).covered == 1


def test_trees_that_do_not_keep_their_draws_are_refused():
    with pytest.raises(InputError, match="mcts_star makes draws that its tree does not keep"):
        Pool(tree_of(MctsStar(temperature=1.0), 60))
    pool = Pool(tree_of(MctsStar(temperature=1.0, rollout_steps=0), 60))
    with pytest.raises(InputError, match="mcts_star makes draws that its tree does not keep"):
        again(pool, MctsStar(temperature=1.0), 20)
    tree = tree_of(BestOfN(), 30)
    with pytest.raises(InputError, match="problem p: its tree has no record of draws"):
        Pool(replace(tree, record=None))
    for prefix, end, says in ((0, 99, "names a node that its tree lacks"), (2, 1, "at node 2 ends at 1")):
        one = replace(tree.record, prefix=np.array([prefix], np.int32), end=np.array([end], np.int32))
        with pytest.raises(InputError, match=says):
            Pool(replace(tree, record=one))


@settings(max_examples=40, deadline=None)
@given(
    SEARCHES[1] | SEARCHES[0],
    st.lists(st.tuples(SEARCHES[1] | SEARCHES[0], st.sampled_from(Aggregate)), min_size=1, max_size=3),
    WORLDS,
    st.booleans(),
    st.sampled_from([None, HashChecker(4)]),
    st.sampled_from([3, 1 << 20]),
    st.sampled_from(Unit),
    st.integers(2, 5),
    st.integers(0, 2**64 - 1),
)
def test_the_compiled_replay_equals_the_scheduler(first, others, world, scored, checker, grain, unit, max_depth, seed):
    problems = [Problem(str(i), f"q{i}") for i in range(3)]
    made = [Query(problem, first, Budget(tokens=80), seed ^ i) for i, problem in enumerate(problems)]
    trees = grow(made, world, scorer=scorer(grain), checker=checker, max_depth=max_depth)
    pools, told = list(map(Pool, trees)), list(map(answers_of, trees))
    marks, facts = (3, 8, 30), {"checker": checker, "scored": scored, "max_depth": max_depth}
    compiled = Pools(pools, told, **facts)
    found = compiled.replay(others, marks, CHOICES, unit)
    for s, (search, how) in enumerate(others):
        budget = Budget(tokens=30) if unit is Unit.TOKENS else Budget(simulations=30)
        queries = [Query(tree.problem, search, budget, tree.seed, how, marks=marks, unit=unit) for tree in trees]
        for t, one in enumerate(replay(queries, pools, **facts)):
            assert found.covered[t, s] == one.covered
            assert found.tokens[t, s].tolist() == [tree.spent.tokens_generated for tree in one.tree.at_marks]
            for m, tree in enumerate(one.tree.at_marks):
                chosen = [choose(tree, choice, answers_of(tree)) for choice in CHOICES]
                nodes = [pools[t].node(tree.path(node)) if node != NO_NODE else NO_NODE for node in chosen]
                assert found.nodes[t, s, m].tolist() == nodes
            if s == len(others) - 1:
                assert_same_records(compiled, t, pools[t], one.tree)


def test_a_compiled_step_is_the_beginning_of_a_solution_drawn_there():
    made = [Query(Problem(str(i), f"q{i}"), Deep(), Budget(tokens=120), i) for i in range(20)]
    pools = list(map(Pool, grow(made, World(), scorer=scorer())))
    search, facts = RolloutBranching(root_share=0.0), {"checker": None, "scored": True, "max_depth": 16}
    found = Pools(pools, [{}] * 20, **facts).replay([(search, Aggregate.LAST)], (10, 20), [Choice.BEST])
    queries = [Query(one.problem, search, Budget(tokens=20), one.seed, marks=(10, 20)) for one in made]
    again = replay(queries, pools, **facts)
    assert any((one.tree.record.prefix > 0).any() for one in again)
    assert found.covered[:, 0].tolist() == [one.covered for one in again]
    assert found.tokens[:, 0].tolist() == [[t.spent.tokens_generated for t in one.tree.at_marks] for one in again]


def answers_of(tree):
    """Few answers, so that solutions agree; some have none."""
    texts = {int(node): "".join(step.text for step in tree.path(int(node))) for node in tree.finals()}
    return {node: None if hashed(text) < 0.2 else str(len(text) % 3) for node, text in texts.items()}


def assert_same_records(compiled, t, pool, tree):
    """Visits, evidence and values of every node are what the scheduler leaves, and there are no others."""
    ids = compiled.ids(t)[[pool.node(tree.path(node)) for node in range(len(tree.steps))]]
    nodes, ledger = compiled.nodes[ids], compiled.ledger[ids]
    assert ledger["ordinal"].tolist() == list(range(len(tree.steps)))
    assert (compiled.ledger[compiled.ids(t)]["ordinal"] >= 0).sum() == len(tree.steps)
    for column, records in (("visits", nodes), ("value", nodes), ("prior", nodes)):
        np.testing.assert_array_equal(records[column], getattr(tree, column), strict=True)
    np.testing.assert_array_equal(ledger["evidence"], tree.value_sum)
    np.testing.assert_array_equal(nodes["flags"], tree.flags)
    np.testing.assert_array_equal(ledger["draws"], np.bincount(tree.record.prefix, minlength=len(tree.steps)))
