from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from math import isnan, log, nan, sqrt
from typing import Any

import naive
import numpy as np
import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, hashed, script, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.budget import Budget
from mcts.forest import Forest, Tree
from mcts.options import EndRule, Likeness, Merging
from mcts.panel import Panel
from mcts.ports import Checker
from mcts.requests import Draw, Simulation
from mcts.scheduler import Scheduler
from mcts.search import Auto, BestOfN, EtaMcts, MctsStar, Puct, RolloutBranching, Search, StepBeam, TreeOfThoughtsDfs
from mcts.tree import NO_NODE, Flag, SearchTree
from mcts.types import Problem, Proposal, Propose, Spent, State, Step, StepEnd, Until
from mcts.walk import Query
from mcts.widening import Widening

PROBLEM = Problem("p", "q")

worlds = st.builds(
    World,
    vocabulary=st.sampled_from([3, 2, 4, 1]),
    depth=st.sampled_from([4, 5, 3, 6, 2, 1]),
    final=st.sampled_from([0.0, 0.2]),
    truncated=st.sampled_from([0.0, 0.15]),
    empty=st.sampled_from([0.0, 0.1]),
)
widenings = st.one_of(
    st.just(Widening()),
    st.builds(
        Widening,
        growth=st.sampled_from(["progressive", "importance", "spread"]),
        scale=st.sampled_from([1.0, 2.5]),
        power=st.sampled_from([0.5, 1.0]),
        most=st.sampled_from([1, 4, 8]),
    ),
)
kinds = (
    st.builds(BestOfN, width=st.integers(1, 3)),
    st.builds(
        RolloutBranching,
        width=st.integers(1, 3),
        opening=st.integers(0, 6),
        strength=st.sampled_from([1.0, 3.0]),
        doubt=st.sampled_from([0.5, 0.0, 1.0]),
        root_share=st.sampled_from([0.0, 0.25, 1.0]),
    ),
    st.builds(
        MctsStar,
        width=st.integers(1, 3),
        exploration=st.sampled_from([0.0, 0.5, 1.4]),
        log_factor=st.sampled_from([1.0, 2.0]),
        unvisited_bonus=st.sampled_from([0.9, None]),
        rollout_steps=st.sampled_from([2, 1, 0]),
        rollout_width=st.integers(1, 2),
        rollout_weight=st.sampled_from([0.0, 0.5, 0.75]),
        rollout=st.sampled_from(["greedy", "random"]),
        keeps_rollout=st.booleans(),
        end_gate=st.sampled_from([None, None, 0.75]),
        gate_ends_unfinished=st.booleans(),
        mode=st.sampled_from(["generation", "inference"]),
        asks_critic=st.booleans(),
        widening=widenings,
    ),
    st.builds(
        Puct,
        width=st.integers(1, 3),
        in_flight=st.sampled_from([1, 3, 2]),
        c_init=st.sampled_from([1.25, 0.0, 4.0]),
        unvisited_value=st.sampled_from([0.0, 0.5]),
        widening=widenings,
    ),
    st.builds(
        EtaMcts,
        exploration=st.sampled_from([1.0, 0.0, 1.5]),
        log_factor=st.sampled_from([1.0, 2.0]),
        widening=st.builds(
            Widening,
            growth=st.sampled_from(["importance", "spread"]),
            scale=st.sampled_from([1.0, 4.0]),
            least=st.sampled_from([2, 1]),
            most=st.sampled_from([2, 4]),
            root_least=st.sampled_from([None, 1, 3]),
            root_most=st.sampled_from([3, 6]),
        ),
        option=st.builds(EndRule, pattern=st.sampled_from([None, "0", "s"]), extensions=st.integers(0, 2)),
        merging=st.builds(
            Merging,
            likeness=st.sampled_from(list(Likeness)),
            nearest=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
            redraws=st.integers(0, 3),
        ),
        beta_value=st.sampled_from([1.0, 0.0]),
        beta_prm=st.sampled_from([1.0, 0.5]),
        beta_orm=st.sampled_from([1.0, 0.0]),
        rollouts=st.integers(0, 3),
        greedy_first=st.booleans(),
        end_depth=st.sampled_from([None, 2]),
        blend=st.sampled_from(["sum", "renorm"]),
    ),
    st.builds(
        Auto,
        first=st.sampled_from([2, 1, 4]),
        agreement=st.sampled_from([0.6, 0.8, 1.0]),
        sure=st.sampled_from([0.453, 0.711]),
        spread=st.sampled_from([0.233, 1.0]),
        split=st.sampled_from([0.55, 0.0, 0.3]),
        doubt=st.sampled_from([0.413, 0.0, 0.151]),
        long_reasoning=st.sampled_from([False, False, True]),
        tree=st.builds(RolloutBranching, width=st.integers(1, 2), root_share=st.sampled_from([0.5, 0.0])),
    ),
    st.builds(
        StepBeam,
        beams=st.integers(1, 3),
        width=st.integers(1, 3),
        lookahead=st.sampled_from([0, 2, 1]),
    ),
    st.builds(
        TreeOfThoughtsDfs,
        width=st.integers(1, 3),
        kept=st.integers(1, 3),
        prune_below=st.sampled_from([0.0, 0.4]),
        end_gate=st.sampled_from([None, None, 0.75]),
    ),
)
SCORERS = ("critic", "prm", "orm", "judge")
each_kind = pytest.mark.parametrize(
    "kind",
    kinds,
    ids=["best_of_n", "rollout_branching", "mcts_star", "puct", "eta_mcts", "auto", "step_beam", "tot_dfs"],
)


def grow(
    search: Search,
    policy: ScriptedPolicy,
    scorer: TableScorer | None,
    *,
    checker: Checker | None = None,
    seed: int = 0,
    max_depth: int = 16,
    others: dict[str, Any] | None = None,
    **budget: Any,
) -> SearchTree:
    scheduler = Scheduler(policy, scorer, checker=checker, max_depth=max_depth, panel=Panel(**(others or {})))
    (tree,) = scheduler.run([Query(PROBLEM, search, Budget(**budget), seed)])
    return tree


def nodes_by_text(tree: SearchTree) -> dict[tuple[str, ...], int]:
    return {texts_of(tree.path(node)): node for node in range(len(tree.parent))}


def graded(grain: int, question: str, *texts: str) -> float:
    return hashed(question, *texts, grain=grain)


# --- all searches against their twins ---------------------------------------------------------------------------------


@each_kind
@settings(max_examples=80, deadline=None)
@given(
    st.data(),
    worlds,
    st.sampled_from([2, 4, 1 << 20, None]),
    st.sampled_from([None, 1, 4]),
    st.integers(0, 2**64 - 1),
    st.sampled_from([5, 3, 2, 1]),
    st.sampled_from([12, 6, 1]),
)
def test_a_search_equals_its_twin_to_the_last_bit(kind, data, world, grain, odds, seed, max_depth, simulations):
    search, world = data.draw(kind), replace(world, with_ids=data.draw(st.booleans()))
    scorer = None if grain is None else TableScorer(lambda *state: graded(grain, *state))
    checker = None if odds is None else HashChecker(odds)
    others = data.draw(st.fixed_dictionaries({name: st.booleans() for name in (*SCORERS, "fast")}))
    told = {name: partial(hashed, name) if others[name] else None for name in SCORERS}
    fast = replace(world, vocabulary=2) if others["fast"] else None
    tree = grow(
        search,
        ScriptedPolicy(world),
        scorer,
        others={name: value and TableScorer(value) for name, value in told.items()}
        | {"fast": fast and ScriptedPolicy(fast)},
        checker=checker,
        seed=seed,
        max_depth=max_depth,
        simulations=simulations,
    )
    check = None if checker is None else lambda steps: checker.check(PROBLEM, steps)
    walk = naive.Walk(PROBLEM, seed, world, scorer and scorer.score, check, max_depth, max_tokens=256)
    for name, value in told.items():
        setattr(walk, name, value and TableScorer(value).score)
    walk.fast = fast
    for _ in range(simulations):
        if not naive.simulate(search, walk):
            break
    assert tree.steps == tuple(node.step for node in walk.nodes)
    assert tree.parent.tolist() == [node.parent.ordinal if node.parent else NO_NODE for node in walk.nodes]
    for name in ("visits", "value_sum", "value", "prior", "flags"):
        expected = [getattr(node, name) + (node.evidence if name == "value_sum" else 0) for node in walk.nodes]
        np.testing.assert_array_equal(getattr(tree, name), expected, err_msg=name)
    assert tree.spent == walk.spent + Spent(nodes=len(walk.nodes))
    assert tree.answer == naive.best_final(walk.nodes)


# --- best-of-n --------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(worlds, st.integers(1, 5), st.integers(1, 120), st.integers(0, 99))
def test_best_of_n_stops_at_the_draw_that_reaches_its_tokens_and_counts_them_as_the_policy_did(
    world, width, tokens, seed
):
    policy = ScriptedPolicy(world)
    tree = grow(BestOfN(width), policy, TableScorer(), seed=seed, tokens=tokens)
    costs = [
        sum(len(step.token_ids) for continuation in reply for step in continuation) for reply in policy.replies.values()
    ]
    assert tree.spent.tokens_generated == policy.tokens_generated == sum(costs)
    assert sum(costs[:-1]) < tokens <= sum(costs)
    assert tree.spent.policy_calls == len(costs)
    assert all(request.width == width and request.until is Until.END for request in policy.asked.values())
    assert set(policy.prefixes) == {()}
    assert tree.visits[0] == width * len(costs)


def test_best_of_n_answers_with_the_solution_the_scorer_likes_best():
    policy = ScriptedPolicy(script({(): ["a.", "b.", "c."]}))
    scorer = TableScorer(lambda question, *texts: {"b.": 0.75}.get("".join(texts), 0.25))
    tree = grow(BestOfN(3), policy, scorer, simulations=1)
    assert texts_of(tree.path(tree.answer)) == ("b.",)


def test_duplicates_raise_visits_and_not_nodes():
    policy = ScriptedPolicy(World(vocabulary=1, depth=3, final=0.0))
    tree = grow(BestOfN(4), policy, TableScorer(), simulations=5)
    assert texts_of(tree.path(3)) == ("s0", "s0", "s0")
    assert tree.visits.tolist() == [20, 20, 20, 20]


def test_a_search_stops_at_the_first_accepted_solution_if_so_told():
    policy = ScriptedPolicy(World(vocabulary=4, depth=4))
    tree = grow(BestOfN(1), policy, TableScorer(), checker=HashChecker(6), simulations=500, stop_when_solved=True)
    accepted = np.flatnonzero(tree.flags & Flag.ACCEPTED)
    assert accepted.tolist() == [tree.answer]
    assert tree.flags[tree.finals()[-1]] & Flag.ACCEPTED
    assert tree.spent.policy_calls < 500


# --- rollout branching ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(1, 4), st.integers(0, 5), st.booleans(), st.integers(0, 99))
def test_what_is_new_is_credited_down_from_where_it_left_the_tree_and_what_is_known_is_not(
    world, width, opening, checkable, seed
):
    policy, scorer, checker = ScriptedPolicy(world), TableScorer(), HashChecker() if checkable else None
    tree = grow(RolloutBranching(width, opening), policy, scorer, checker=checker, seed=seed, simulations=30)
    visits: dict[tuple, int] = defaultdict(int)
    evidence: dict[tuple, float] = defaultdict(float)
    known: set[tuple] = {()}
    drawn = [(asked, line) for ticket, asked in policy.asked.items() for line in policy.replies[ticket]]
    for request, continuation in drawn:
        steps = (*request.state.steps, *continuation)
        first_new = next((k for k in range(len(steps) + 1) if steps[:k] not in known), None)
        if first_new is None:
            continue
        amount = scorer.score(State(PROBLEM, steps))[-1]
        is_open = steps[-1].end is StepEnd.DELIMITER and bool(steps[-1].text)
        if checker is not None and not is_open:
            amount = float(steps[-1].end is StepEnd.FINAL and checker.check(PROBLEM, steps))
        for k in range(first_new - 1, len(steps) + 1):
            known.add(steps[:k])
            visits[steps[:k]] += 1
            evidence[steps[:k]] += amount
    for node in range(len(tree.parent)):
        path = tree.path(node)
        assert tree.visits[node] == visits[path]
        assert tree.value_sum[node] == pytest.approx(evidence[path])


def test_solutions_are_drawn_at_the_root_and_steps_elsewhere():
    policy = ScriptedPolicy(World(vocabulary=3, depth=4, final=0.0))
    scorer = TableScorer(lambda question, *texts: 1.0 if texts else 0.25)
    grow(RolloutBranching(), policy, scorer, checker=HashChecker(1000), simulations=60)
    for request in policy.asked.values():
        assert request.until is (Until.STEP if request.state.steps else Until.END)
    assert {request.until for request in policy.asked.values()} == {Until.STEP, Until.END}


@pytest.mark.parametrize("opening", [1, 3, 6])
def test_the_opening_draws_are_at_the_root(opening):
    policy = ScriptedPolicy(World(vocabulary=50, depth=6, final=0.0))
    scorer = TableScorer(lambda question, *texts: 1.0 if texts else 0.0)
    search = RolloutBranching(opening=opening, root_share=0.0)
    grow(search, policy, scorer, checker=HashChecker(1000), simulations=opening + 3)
    chosen = policy.prefixes
    assert chosen[:opening] == [()] * opening
    assert () not in chosen[opening:]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6, 1.0])
@pytest.mark.parametrize("checker", [None, HashChecker(1000)])
def test_a_scorer_that_is_all_wrong_cannot_take_its_share_from_the_root(share, checker):
    policy = ScriptedPolicy(World(vocabulary=50, depth=6, final=0.0))
    scorer = TableScorer(lambda question, *texts: 1.0 if texts else 0.0)
    grow(RolloutBranching(opening=4, root_share=share), policy, scorer, checker=checker, simulations=300)
    at_root = list(accumulate(prefix == () for prefix in policy.prefixes))
    for draws, count in enumerate(at_root, start=1):
        assert count >= min(draws, share * (draws - 1))
    if share < 1:
        assert at_root[-1] < 300  # the scorer is heard


ENDS = (StepEnd.DELIMITER, StepEnd.FINAL)


class Likes:
    """Accepts every solution that begins with a certain step."""

    def __init__(self, beginning: str) -> None:
        self.beginning = beginning

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        return steps[0].text == self.beginning


def test_what_was_drawn_overrules_a_scorer_that_prefers_the_wrong_prefix():
    def propose(request: Propose) -> Proposal:
        word = request.seed % 999
        line = (Step("ab"[word % 2], (1,), (log(0.5),)), *(Step(f"{word}", (2,), (-7.0,), e) for e in ENDS))
        return (line[len(request.state.steps) :][: 1 if request.until is Until.STEP else None],)

    policy = ScriptedPolicy(propose)
    scorer = TableScorer(lambda question, *texts: 0.75 if texts[:1] == ("b",) else 0.25)
    search = RolloutBranching(opening=6, root_share=0.0)
    tree = grow(search, policy, scorer, checker=Likes("a"), simulations=60)
    nodes = nodes_by_text(tree)
    assert tree.value_sum[nodes["a",]] == tree.visits[nodes["a",]]
    assert tree.value_sum[nodes["b",]] == 0.0
    assert {prefix[:1] for prefix in policy.prefixes[30:]} == {("a",)}


# --- MCTS* ------------------------------------------------------------------------------------------------------------

STORY = script(
    {
        (): ["a", "b"],
        ("b",): ["x"],
        ("a",): ["c.", "d"],
        ("a", "d"): ["e.", "f~"],
    }
)
STORY_VALUES = {
    "": 0.125,
    "a": 0.25,
    "b": 0.5,
    "bx": 0.75,
    "ac.": 1.0,
    "ad": 0.125,
    "ade.": 0.5,
    "adf~": 0.25,
}


def story_value(question: str, *texts: str) -> float:
    return STORY_VALUES["".join(texts)]


def follow(simulations: int, **settings: Any) -> tuple[dict[str, tuple[int, float]], ScriptedPolicy, SearchTree]:
    """(visits, value) per node of the hand-traced tree."""
    policy = ScriptedPolicy(STORY)
    tree = grow(MctsStar(width=2, **settings), policy, TableScorer(story_value), simulations=simulations)
    nodes = {
        "".join(texts): (int(tree.visits[node]), float(tree.value[node])) for texts, node in nodes_by_text(tree).items()
    }
    return nodes, policy, tree


def test_one_simulation_by_hand():
    nodes, policy, tree = follow(1)
    b = 0.5 * 0.5 + 0.5 * 0.75
    assert nodes == {"": (1, b), "a": (0, 0.25), "b": (1, b)}
    assert policy.prefixes == [(), ("b",)]
    assert tree.answer == NO_NODE


def test_two_simulations_by_hand():
    nodes, policy, tree = follow(2)
    assert 0.625 + 0.5 * sqrt(2 * log(1) / 1) < 0.25 + 0.9  # so `a` is taken and not `b`
    assert nodes == {
        "": (2, (1.0 + 0.625) / 2),
        "a": (1, 1.0),
        "b": (1, 0.625),
        "ac.": (1, 1.0),
        "ad": (0, 0.125),
    }
    assert policy.prefixes == [(), ("b",), ("a",)]
    assert texts_of(tree.path(tree.answer)) == ("a", "c.")


def test_the_third_simulation_passes_over_the_finished_child_and_closes_the_branch():
    nodes, policy, tree = follow(3)
    assert nodes["ade."] == (1, 0.5)
    assert nodes["ad"] == (1, 0.5)
    assert nodes["a"] == (2, (1.0 + 0.5) / 2)
    assert nodes[""] == (3, np.float32((2 * 0.75 + 0.625) / 3))
    assert policy.prefixes == [(), ("b",), ("a",), ("a", "d")]
    is_closed = {"".join(texts): bool(tree.flags[n] & Flag.CLOSED) for texts, n in nodes_by_text(tree).items()}
    assert is_closed == {"": False, "a": True, "b": False, "ac.": True, "ad": True, "ade.": True, "adf~": True}


def test_rollout_steps_are_paid_for_and_not_kept():
    nodes, policy, tree = follow(1)
    assert ("b",) in policy.prefixes
    assert "bx" not in nodes
    assert tree.spent.tokens_generated == policy.tokens_generated == 3
    assert tree.spent.scorer_calls == 3
    assert tree.spent.tokens_scored == 1 + 1 + 2


@pytest.mark.parametrize(("weight", "value"), [(0.0, 0.5), (0.25, 0.5625), (1.0, 0.75)])
def test_the_rollout_weight_is_that_of_the_best_value_met(weight, value):
    nodes, _, _ = follow(1, rollout_weight=weight)
    assert nodes["b"] == (1, value)


def test_a_rollout_that_finds_nothing_lowers_the_value():
    nodes, _, _ = follow(1, rollout_steps=0)
    assert nodes["b"] == (1, 0.25)


def test_a_rollout_follows_the_best_of_its_proposals_and_ends_where_the_solution_ends():
    lines = {(): ["a"], ("a",): ["p", "q", "r"], ("a", "q"): ["s", "t.", "u"]}
    values = {"": 0.0, "a": 0.5, "ap": 0.25, "aq": 0.75, "ar": 0.5, "aqs": 0.25, "aqt.": 0.625, "aqu": 0.0}
    policy = ScriptedPolicy(script(lines))
    search = MctsStar(width=1, rollout_width=3, rollout_steps=5)
    tree = grow(search, policy, TableScorer(lambda _, *texts: values["".join(texts)]), simulations=1)
    assert policy.prefixes == [(), ("a",), ("a", "q")]
    assert tree.value[1] == 0.5 * 0.5 + 0.5 * 0.75
    assert len(tree.parent) == 2


@pytest.mark.parametrize(("gate", "calls"), [(1.0, 3), (0.75, 3), (None, 4)])
def test_a_finished_child_that_passes_the_gate_ends_an_inference(gate, calls):
    _, policy, tree = follow(3, end_gate=gate, mode="inference")
    assert len(policy.asked) == calls
    if gate is not None:
        assert texts_of(tree.path(tree.answer)) == ("a", "c.")


def test_every_step_of_a_rollout_is_paid_for():
    policy = ScriptedPolicy(World(vocabulary=5, depth=9, final=0.0))
    tree = grow(MctsStar(rollout_steps=4, rollout_width=2), policy, TableScorer(), simulations=3)
    assert tree.spent.policy_calls == len(policy.asked) == 3 * 5
    assert tree.spent.tokens_generated == policy.tokens_generated


def test_an_unfinished_child_never_passes_the_gate():
    _, policy, _ = follow(2, end_gate=0.01)
    assert policy.prefixes == [(), ("b",), ("a",)]


def test_by_its_gate_an_inference_ends_at_an_unfinished_node_and_a_generation_goes_on():
    gate = {"end_gate": 0.2, "gate_ends_unfinished": True}
    _, policy, tree = follow(9, mode="inference", **gate)
    assert policy.prefixes == [(), ("b",)]  # `a` is selected next, passes, and is the answer
    assert [texts_of(tree.path(int(node))) for node in tree.finals()] == [("a",)]
    assert tree.visits[0] == 2
    nodes, _, tree = follow(9, mode="generation", **gate)
    assert {texts_of(tree.path(int(node))) for node in tree.finals()} == {("a",), ("b",)}
    assert nodes[""][0] == 3


def test_a_beam_that_has_spent_its_tokens_draws_no_further_level():
    policy = ScriptedPolicy(World(depth=6, final=0.0))
    tree = grow(StepBeam(beams=2, width=2), policy, TableScorer(), tokens=1)
    assert policy.prefixes == [()]
    assert not np.isnan(tree.value).any()  # what was drawn is valued all the same


@dataclass
class Watched:
    """A search that notes where it draws: the steps kept in the tree, those beyond, and whether the node was open."""

    search: Search
    draws: list[tuple[tuple[Step, ...], tuple[Step, ...], bool]] = field(default_factory=list)
    name: str = "watched"
    temperature: float = 1.0

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        simulation, reply = self.search.simulate(forest, tree), None
        while True:
            try:
                asked = simulation.send(reply)
            except StopIteration as stop:
                return stop.value
            if isinstance(asked, Draw):
                self.draws.append((forest.state(tree, asked.node).steps, asked.beyond, forest.is_open(asked.node)))
            reply = yield asked


@each_kind
@settings(max_examples=40, deadline=None)
@given(st.data(), worlds, st.sampled_from([3, 4, 2, 1]), st.integers(0, 99))
def test_nothing_is_ever_drawn_at_or_beneath_what_is_closed(kind, data, world, max_depth, seed):
    watched = Watched(data.draw(kind))
    grow(watched, ScriptedPolicy(world), TableScorer(), seed=seed, max_depth=max_depth, simulations=25)
    for kept, beyond, is_open in watched.draws:
        assert is_open
        assert len(kept) < max_depth
        assert all(step.text for step in kept)
        assert all(step.end is StepEnd.DELIMITER for step in (*kept, *beyond))


@settings(max_examples=40, deadline=None)
@given(
    st.builds(MctsStar, width=st.integers(1, 4), rollout_steps=st.integers(0, 1)),
    st.builds(World, vocabulary=st.integers(1, 3), depth=st.integers(1, 4), truncated=st.sampled_from([0.0, 0.2])),
    st.integers(0, 99),
)
def test_an_exhausted_tree_ends_the_search(search, world, seed):
    policy = ScriptedPolicy(world)
    tree = grow(search, policy, TableScorer(), seed=seed, simulations=10**6)
    assert np.all(tree.flags & Flag.CLOSED)
    leaves = np.setdiff1d(np.arange(len(tree.parent)), tree.parent)
    assert all(tree.steps[leaf].end is not StepEnd.DELIMITER for leaf in leaves)
    assert tree.visits[0] == np.count_nonzero(tree.flags & Flag.EXPANDED)


def test_mcts_star_without_a_scorer_ends_instead_of_wandering():
    tree = grow(MctsStar(), ScriptedPolicy(), None, simulations=50)
    assert isnan(tree.value[0])


@pytest.mark.parametrize("value", [nan, 0.5])
def test_a_value_is_what_the_scorer_said(value: float):
    tree = grow(BestOfN(2), ScriptedPolicy(), TableScorer(lambda *_: value), simulations=1)
    np.testing.assert_array_equal(tree.value, np.full(len(tree.value), value, np.float32))


def test_temperature_and_limits_reach_the_policy():
    searches: list[tuple[Callable[..., Any], set[Until]]] = [
        (BestOfN, {Until.END}),
        (RolloutBranching, {Until.END, Until.STEP}),
        (MctsStar, {Until.STEP}),
    ]
    for kind, until in searches:
        policy = ScriptedPolicy()
        scheduler = Scheduler(policy, TableScorer(), max_tokens=77)
        list(scheduler.run([Query(PROBLEM, kind(temperature=0.375), Budget(simulations=2), 0)]))
        assert {(r.temperature, r.max_tokens) for r in policy.asked.values()} == {(0.375, 77)}
        assert {r.until for r in policy.asked.values()} == until
