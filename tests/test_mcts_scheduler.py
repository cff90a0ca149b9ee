import json
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import islice, pairwise
from math import nan

import numpy as np
import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree, step
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.budget import Budget, Unit
from mcts.forest import Forest, Tree
from mcts.journal import Journal
from mcts.kernels import backup, grow, select
from mcts.panel import Panel
from mcts.requests import Simulation
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, MctsStar, Puct, RolloutBranching, Search
from mcts.seeds import seed_of
from mcts.silence import SilentError
from mcts.tree import SearchTree
from mcts.types import Problem, Proposal, Propose, Spent, Step, StepEnd, Ticket
from mcts.walk import Query

SEARCHES = (BestOfN(2), RolloutBranching(opening=2), MctsStar(rollout_steps=2))
WORLD = World(vocabulary=3, depth=4, truncated=0.1, empty=0.05)


def problem(i: int) -> Problem:
    return Problem(f"p{i}", f"question {i}")


def query(i: int, search: Search | None = None, *, tokens: int = 60, seed: int | None = None) -> Query:
    return Query(
        problem(i), search or SEARCHES[i % 3], Budget(tokens=tokens, simulations=30), i if seed is None else seed
    )


def run(
    queries: list[Query], *, arrival: int | None = None, trees_at_once: int = 256, checker: bool = True
) -> dict[tuple[str, str], SearchTree]:
    scheduler = Scheduler(
        ScriptedPolicy(WORLD, arrival=arrival),
        TableScorer(arrival=arrival),
        checker=HashChecker() if checker else None,
        max_depth=3,
        trees_at_once=trees_at_once,
    )
    return {(tree.strategy, tree.problem.id): tree for tree in scheduler.run(queries)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SEARCHES), st.integers(0, 9)), unique_by=str, min_size=1, max_size=8),
    st.integers(0, 2**32),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_tree_depends_on_nothing_but_its_own_query(asked, arrival, trees_at_once, checker):
    queries = [query(i, search) for search, i in asked]
    together = run(queries, arrival=arrival, trees_at_once=trees_at_once, checker=checker)
    assert len(together) == len(queries)
    for one in queries:
        (alone,) = run([one], checker=checker).values()
        assert_same_tree(together[one.search.name, one.problem.id], alone)


@pytest.mark.parametrize("search", [Puct(), MctsStar(), RolloutBranching(opening=2)])
def test_room_arrival_and_threads_change_no_bit_of_any_tree(monkeypatch, search):
    queries = [query(i, search, tokens=30) for i in range(40)]
    found = []
    for threaded_from, trees_at_once, arrival in ((10**9, 40, None), (0, 40, None), (0, 7, 1), (0, 1, 2)):
        for module in (select, grow, backup):
            monkeypatch.setattr(module, "THREADED_FROM", threaded_from)
        found.append(run(queries, arrival=arrival, trees_at_once=trees_at_once))
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for name, tree in other.items():
            assert_same_tree(tree, found[0][name])


@pytest.mark.parametrize("search", SEARCHES)
def test_another_seed_gives_another_tree(search):
    trees = [run([query(0, search, seed=seed)]).popitem()[1] for seed in (1, 1, 2, 2**64 - 1)]
    assert_same_tree(trees[0], trees[1])
    assert len({tree.steps for tree in trees}) == 3


def test_trees_are_named_and_accounted_for_one_by_one():
    policy, scorer = ScriptedPolicy(WORLD, arrival=1), TableScorer(arrival=2)
    trees = list(Scheduler(policy, scorer).run([query(i) for i in range(9)]))
    assert {(tree.problem, tree.strategy, tree.seed) for tree in trees} == {
        (problem(i), SEARCHES[i % 3].name, i) for i in range(9)
    }
    assert sum(tree.spent.tokens_generated for tree in trees) == policy.tokens_generated
    assert sum(tree.spent.policy_calls for tree in trees) == len(policy.asked)
    assert sum(tree.spent.scorer_calls for tree in trees) == len(scorer.asked)
    assert sum(tree.spent.tokens_scored for tree in trees) == sum(
        len(step.token_ids) for request in scorer.asked.values() for step in request.state.steps
    )


def test_no_two_requests_share_a_seed():
    policy = ScriptedPolicy(WORLD)
    list(Scheduler(policy, TableScorer()).run([query(i) for i in range(30)]))
    drawn = [request.seed for request in policy.asked.values()]
    assert len(set(drawn)) == len(drawn) > 100


def test_seeds_are_64_bit_hashes_of_every_part_in_its_place():
    parts = [(1, "a"), ("a", 1), ("1", "a"), (1, "b"), (2, "a"), (1,), ("1a",)]
    found = [seed_of(*those) for those in parts]
    assert len(set(found)) == len(parts)
    assert all(0 <= seed < 2**64 for seed in found)
    assert seed_of(1, "a") == found[0]


def test_without_a_scorer_every_value_is_unknown_and_nothing_is_spent_on_it():
    (tree,) = Scheduler(ScriptedPolicy(WORLD), None).run([query(0, RolloutBranching())])
    assert np.isnan(tree.value).all()
    assert not tree.value_sum.any()
    assert tree.spent.scorer_calls == tree.spent.tokens_scored == 0
    assert tree.spent.tokens_generated >= 60


@pytest.mark.parametrize("trees_at_once", [1, 2, 9])
def test_a_problem_that_is_asked_twice_under_one_strategy_is_refused(trees_at_once):
    scheduler = Scheduler(ScriptedPolicy(), TableScorer(), trees_at_once=trees_at_once)
    with pytest.raises(ValueError, match=r"best_of_n/p1 is searched twice"):
        list(scheduler.run([query(1, BestOfN()), query(2, BestOfN()), query(1, BestOfN(width=3))]))


def test_a_problem_may_be_searched_by_two_strategies():
    assert len(run([query(1, BestOfN()), query(1, RolloutBranching())])) == 2


@pytest.mark.parametrize(
    "limits", [{}, {"tokens": 0}, {"simulations": 0}, {"tokens": 5, "simulations": -1}, {"stop_when_solved": True}]
)
def test_a_budget_without_a_limit_or_with_one_below_one_is_refused(limits):
    with pytest.raises(ValueError, match=r"expected a limit|expected more than 0"):
        Budget(**limits)


@pytest.mark.parametrize("trees_at_once", [0, -1])
def test_a_scheduler_without_room_for_a_tree_is_refused(trees_at_once):
    with pytest.raises(ValueError, match="trees_at_once: expected at least 1"):
        Scheduler(ScriptedPolicy(), TableScorer(), trees_at_once=trees_at_once)


@pytest.mark.parametrize("simulations", [1, 2, 7])
def test_a_budget_of_simulations_is_kept_to_the_letter(simulations):
    policy = ScriptedPolicy(WORLD)
    list(Scheduler(policy, TableScorer()).run([Query(problem(1), BestOfN(), Budget(simulations=simulations), 0)]))
    assert len(policy.asked) == simulations


# --- one pass after another -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passes", range(6))
def test_a_tree_that_is_given_up_leaves_nothing_behind_and_the_others_alone(passes):
    policy, scorer = ScriptedPolicy(WORLD, arrival=1), TableScorer(arrival=2)
    scheduler = Scheduler(policy, scorer, max_depth=3)
    first, second = (scheduler.plant(query(i), f"walk {i}") for i in range(2))
    for _ in range(passes):
        assert not list(scheduler.advance())
        scheduler.poll()
    seen = scheduler.snapshot(first)
    assert_same_tree(scheduler.harvest(first), seen)
    asked = [ticket for ticket in policy.asked if ticket.tree == first.name]
    found = {}
    while scheduler.is_busy:
        for walk in scheduler.advance():
            found[walk.name] = scheduler.harvest(walk)
        scheduler.poll()
    (alone,) = Scheduler(ScriptedPolicy(WORLD), TableScorer(), max_depth=3).run([query(1)])
    assert_same_tree(found[second.name], alone)
    assert list(found) == [second.name]
    assert [ticket for ticket in policy.asked if ticket.tree == first.name] == asked
    assert not any(scheduler._forest._steps)
    assert len(scheduler._forest._free) == len(scheduler._forest.nodes)


# --- budgets, marks, failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("limit", ["tokens", "tokens_scored", "calls", "nodes"])
def test_a_limit_stops_a_search_at_the_first_draw_after_it_is_reached(search, limit):
    def used(spent: Spent) -> int:
        calls = spent.policy_calls + spent.scorer_calls
        return {"tokens": spent.tokens_generated, "calls": calls}.get(limit) or getattr(spent, limit)

    found = []
    for allowed in (1, 8, 9, 15):
        (tree,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run(
            [Query(problem(1), search, Budget(**{limit: allowed}), 7)]
        )
        assert used(tree.spent) >= allowed
        assert tree.spent.nodes == len(tree.parent)
        found.append(tree)
    for less, more in pairwise(found):  # a larger budget goes on where the smaller one stopped
        assert more.steps[: len(less.steps)] == less.steps
    for tree, allowed in zip(found, (1, 8, 9, 15), strict=True):  # and one less would have stopped a draw earlier
        calls = tree.spent.policy_calls
        (shorter,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run(
            [Query(problem(1), search, Budget(**{limit: used(tree.spent) + 1}), 7)]
        )
        assert shorter.spent.policy_calls > calls, allowed


def test_the_tree_at_a_mark_is_that_of_a_search_with_this_budget():
    marks = (5, 17, 30, 31, 60, 10_000)
    for search in SEARCHES:
        (whole,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run(
            [Query(problem(3), search, Budget(tokens=60, simulations=50), 7, marks=marks)]
        )
        assert len(whole.at_marks) == len(marks)
        for mark, kept in zip(marks, whole.at_marks, strict=True):
            budget = Budget(tokens=min(mark, 60), simulations=50)
            (alone,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run([Query(problem(3), search, budget, 7)])
            assert_same_tree(kept, alone)


def test_marks_may_be_numbers_of_simulations():
    marks = (1, 4, 9, 50)
    for search in SEARCHES:
        (whole,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run(
            [Query(problem(3), search, Budget(simulations=9), 7, marks=marks, unit=Unit.SIMULATIONS)]
        )
        for mark, kept in zip(marks, whole.at_marks, strict=True):
            budget = Budget(simulations=min(mark, 9))
            (alone,) = Scheduler(ScriptedPolicy(WORLD), TableScorer()).run([Query(problem(3), search, budget, 7)])
            assert_same_tree(kept, alone)


def test_a_policy_is_told_how_much_a_tree_has_and_may_have_nothing_more():
    def dry(request):
        return WORLD(request) if request.drawn < 6 else ()

    stream, policy = BytesIO(), ScriptedPolicy(dry)
    asked = [Query(problem(1), BestOfN(2), Budget(simulations=99), 7, marks=(2, 50), unit=Unit.SIMULATIONS)]
    (tree,) = Scheduler(policy, TableScorer(), journal=Journal(stream)).run(asked)
    assert [request.drawn for request in policy.asked.values()] == [0, 2, 4, 6]
    assert tree.failure == ""
    assert tree.visits[0] == 6
    assert [kept.visits[0] for kept in tree.at_marks] == [4, 6]
    replayed = ScriptedPolicy(dry)
    (again,) = Scheduler(replayed, TableScorer(), journal=Journal(stream)).run(asked)
    assert not replayed.asked
    assert_same_tree(replace(again, at_marks=()), replace(tree, at_marks=()))


@pytest.mark.parametrize("marks", [(0, 5), (5, 5), (9, 3), (-1,)])
def test_marks_that_do_not_ascend_are_refused(marks):
    with pytest.raises(ValueError, match="expected ascending numbers, from 1"):
        Query(problem(1), BestOfN(), Budget(tokens=1), 0, marks=marks)


def test_a_clock_that_has_run_out_stops_a_search_at_its_next_draw():
    policy = ScriptedPolicy(WORLD)
    (tree,) = Scheduler(policy, TableScorer()).run([Query(problem(1), BestOfN(), Budget(seconds=1e-9), 0)])
    assert not policy.asked
    assert len(tree.parent) == 1
    assert tree.spent.seconds > 0


def test_where_the_clock_stopped_is_told_by_the_journal():
    def search(stream, seconds: float) -> tuple[SearchTree, int]:
        policy = ScriptedPolicy(WORLD)
        scheduler = Scheduler(policy, TableScorer(), journal=Journal(stream))
        (tree,) = scheduler.run([Query(problem(1), BestOfN(), Budget(seconds=seconds, tokens=400), 0)])
        return tree, len(policy.asked)

    stream = BytesIO()
    stopped, asked = search(stream, 0.001)
    again, asked_again = search(stream, 3600.0)  # a later start goes by what happened, not by its own clock
    assert 0 < len(stopped.parent) < 400
    assert asked_again == 0 <= asked
    assert_same_tree(stopped, again)


def told(request: Propose, *logprobs: float) -> Proposal:
    return ((Step("a", (1,), logprobs, StepEnd.FINAL),),) * request.width


BROKEN_SCORERS = {
    "gave 1 values, expected": lambda request: (0.5,),
    "gave nan, expected 0 to 1": lambda request: (nan,) * (len(request.state.steps) + 1),
    "gave 1.5, expected 0 to 1": lambda request: (1.5,) * (len(request.state.steps) + 1),
}
BROKEN_POLICIES = {
    "gave 70000 steps at once, expected 65535 on one way": lambda request: ((step("a"),) * 70_000,) * request.width,
    "gave the log-probability nan, expected at most 0": lambda request: told(request, nan),
    "gave the log-probability 800.0, expected at most 0": lambda request: told(request, 800.0),
    "gave 2 log-probabilities of 1 tokens": lambda request: told(request, -0.5, -0.5),
    r"gave a text with '\ud800' in it": lambda request: ((Step("\ud800"),),) * request.width,
    "gave the token 2147483648, expected 0 to 2147483647": lambda r: ((Step("a", (2**31,), (-1.0,)),),) * r.width,
    "gave 1 continuations, expected 2": lambda request: WORLD(replace(request, width=1)),
    "gave a continuation without a step": lambda request: ((),) * request.width,
}


@pytest.mark.parametrize("said", [*BROKEN_SCORERS, *BROKEN_POLICIES])
def test_a_tree_whose_engine_replies_nonsense_is_given_up_by_name_and_the_others_go_on(said):
    world, table = WORLD, TableScorer()
    policy, scorer = ScriptedPolicy(world), TableScorer()
    if said in BROKEN_SCORERS:
        scorer._reply = lambda r: BROKEN_SCORERS[said](r) if r.state.problem.id == "p1" else table.score(r.state)
    else:
        policy._reply = lambda r: BROKEN_POLICIES[said](r) if r.state.problem.id == "p1" else world(r)
    trees = {tree.problem.id: tree for tree in Scheduler(policy, scorer).run([query(i, BestOfN(2)) for i in range(4)])}
    assert said in trees["p1"].failure
    assert trees["p1"].failure.startswith("best_of_n/p1: the ")
    for i in (0, 2, 3):
        assert trees[f"p{i}"].failure == ""
        assert len(trees[f"p{i}"].finals()) > 0


def test_a_reply_that_nobody_waits_for_is_dropped():
    policy = ScriptedPolicy(WORLD, arrival=1)
    answered = policy.poll
    seen: list = []

    def twice(timeout_s: float) -> list:
        seen.extend(arrived := answered(timeout_s))
        return [*arrived, *seen, (Ticket("nobody", 0), ())]

    policy.poll = twice
    stream = BytesIO()
    trees = list(Scheduler(policy, TableScorer(), journal=Journal(stream)).run([query(i) for i in range(6)]))
    alone = list(Scheduler(ScriptedPolicy(WORLD), TableScorer()).run([query(i) for i in range(6)]))
    for one, other in zip(*(sorted(those, key=lambda t: t.problem.id) for those in (trees, alone)), strict=True):
        assert_same_tree(one, other)
    tickets = [tuple(json.loads(line.split(b" ", 1)[1])[:2]) for line in stream.getvalue().splitlines()]
    assert len(tickets) == len(set(tickets)) > 50


def test_an_engine_that_loses_a_request_ends_the_search_in_one_line_and_the_journal_goes_on():
    policy, stream = ScriptedPolicy(WORLD), BytesIO()
    answered = policy.poll
    policy.poll = lambda timeout_s: [one for one in answered(timeout_s) if one[0] != Ticket("best_of_n/p0", 2)]
    scheduler = Scheduler(policy, TableScorer(), journal=Journal(stream), silence_s=0.05)
    found, queries = [], [query(0, BestOfN()), query(1, BestOfN())]
    with pytest.raises(SilentError, match=r"no reply for 0.05 s, of requests open: the policy 1; expected one within"):
        found.extend(scheduler.run(queries))
    assert [tree.problem.id for tree in found] == ["p1"]
    again = ScriptedPolicy(WORLD)
    trees = list(
        Scheduler(again, TableScorer(), journal=Journal(stream)).run([query(0, BestOfN()), query(1, BestOfN())])
    )
    assert min(ticket.number for ticket in again.asked) == 2
    assert {ticket.tree for ticket in again.asked} == {"best_of_n/p0"}
    assert len(trees) == 2


def test_engines_that_owe_nothing_to_anybody_may_be_silent():
    policy = ScriptedPolicy(WORLD)
    policy.poll = lambda timeout_s: []
    scheduler = Scheduler(policy, TableScorer(), silence_s=0.01)
    walk = scheduler.plant(query(0), "a")
    assert not list(scheduler.advance())
    scheduler.harvest(walk)
    for _ in range(5):
        time.sleep(0.01)
        scheduler.poll(0.0)


def test_a_critic_counts_as_a_scorer_and_ends_what_it_says_is_finished():
    policy, critic = ScriptedPolicy(World(depth=9, final=0.0)), TableScorer(lambda *_: 1.0)
    (tree,) = Scheduler(policy, TableScorer(), panel=Panel(critic=critic)).run(
        [Query(problem(1), MctsStar(asks_critic=True, width=2), Budget(simulations=9), 0)]
    )
    assert tree.spent.scorer_calls == len(critic.asked) + tree.spent.nodes - 1
    assert all(len(tree.path(int(node))) == 1 for node in tree.finals())
    assert len(tree.finals()) == len(tree.parent) - 1


def test_no_queries_no_trees():
    assert run([]) == {}


class Counted:
    """Endless queries that know how many were taken."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0

    def __iter__(self) -> Iterator[Query]:
        for i in range(self.count):
            self.taken += 1
            yield query(i)


@pytest.mark.parametrize("trees_at_once", [1, 5])
def test_a_million_problems_are_taken_in_one_by_one_as_trees_finish(trees_at_once):
    queries = Counted(10**6)
    scheduler = Scheduler(ScriptedPolicy(arrival=3), TableScorer(), trees_at_once=trees_at_once)
    most = 0
    for finished, _ in enumerate(islice(scheduler.run(queries), 30), start=1):
        in_flight = queries.taken - (finished - 1)
        most = max(most, in_flight)
        assert in_flight <= trees_at_once
    assert most == trees_at_once


def test_every_tree_in_flight_is_waiting_at_an_engine():
    policy = ScriptedPolicy()
    trees = Scheduler(policy, TableScorer(), trees_at_once=7).run(query(i, BestOfN()) for i in range(50))
    next(trees)
    assert len({ticket.tree for ticket in policy.asked}) == 7


class Placed:
    """A search that notes the highest arena id it met."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.name = search.name
        self.temperature = search.temperature
        self.highest = 0

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        more = yield from self.search.simulate(forest, tree)
        self.highest = max(self.highest, *tree.nodes)
        return more


@pytest.mark.parametrize("trees_at_once", [1, 4])
def test_the_arena_does_not_grow_with_the_number_of_problems(trees_at_once):
    search = Placed(RolloutBranching())
    scheduler = Scheduler(ScriptedPolicy(WORLD), TableScorer(), trees_at_once=trees_at_once)
    sizes = [len(tree.parent) for tree in scheduler.run(query(i, search) for i in range(60))]
    assert sum(sizes) > 5 * trees_at_once * max(sizes)
    assert search.highest < 2 * trees_at_once * max(sizes)


def test_a_tree_that_needs_more_nodes_than_the_arena_has_gets_them():
    world = World(vocabulary=1000, depth=12, final=0.0)
    wide = replace(query(0, BestOfN(50)), budget=Budget(simulations=12))
    (tree,) = Scheduler(ScriptedPolicy(world), TableScorer()).run([wide])
    assert len(tree.parent) > 4096
    assert np.all(tree.parent[1:] < np.arange(1, len(tree.parent)))
    assert tree.visits[0] == 600 == tree.visits[tree.finals()].sum()
