"""eta-MCTS by hand: widths, state merge, options and scores on trees that fit on a page."""

import math
from collections import Counter
from typing import Any

import pytest
from fakes import ScriptedPolicy, TableScorer, World, hashed, step, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.budget import Budget
from mcts.options import EndRule, Likeness, Merging
from mcts.panel import Panel
from mcts.scheduler import Scheduler
from mcts.search import EtaMcts
from mcts.tree import SearchTree
from mcts.types import Problem, Propose, Step, StepEnd, Until
from mcts.walk import Query
from mcts.widening import Widening


def grow(search: EtaMcts, policy: ScriptedPolicy, simulations: int, scorer: Any = None, **panel: Any) -> SearchTree:
    scheduler = Scheduler(policy, scorer, panel=Panel(**panel))
    (tree,) = scheduler.run([Query(Problem("p", "q"), search, Budget(simulations=simulations), 3)])
    return tree


def constant(value: float) -> TableScorer:
    return TableScorer(lambda *_: value)


def fan_out(tree: SearchTree) -> Counter[int]:
    return Counter(tree.parent[1:].tolist())


# --- widths -----------------------------------------------------------------------------------------------------------


def test_the_width_of_a_small_tree_is_the_one_reckoned_by_hand():
    """v(root) = .5 and v = .9 below: I = .4, so with alpha = 8 the root may have floor(3.2) + 1 = 4 options."""
    names = iter("abcdefghijkl")
    policy = ScriptedPolicy(lambda request: ((step(next(names)),),))
    scorer = TableScorer(lambda question, *texts: 0.9 if texts else 0.5)
    widening = Widening("importance", scale=8.0, least=1, most=10)
    tree = grow(EtaMcts(exploration=100.0, widening=widening, rollouts=0), policy, 12, scorer=scorer)
    # Beneath, I = 0 and one option is enough.
    assert fan_out(tree)[0] == 4
    assert all(width == 1 for node, width in fan_out(tree).items() if node)


def test_the_codes_width_goes_by_the_spread_of_means_and_adds_nothing():
    """Means 1 and -1 about 0: I = 1, so with alpha = 3 three options, where the paper's rule has four."""
    names = iter(["a.", "b.", "c.", "d.", "e."])
    policy = ScriptedPolicy(lambda request: ((step(next(names)),),))
    scorer = TableScorer(lambda question, *texts: {(): 0.5, ("b.",): 0.0}.get(texts, 1.0))
    widening = Widening("spread", scale=3.0, least=2, most=9, root_most=9)
    search = EtaMcts(widening=widening, rollouts=0)
    # Finished options close, and a closed root draws up to its cap, so it is looked at after the third.
    assert fan_out(grow(search, policy, 3, scorer=scorer))[0] == 3


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["importance", "spread"]),
    st.sampled_from([1.0, 6.0, 30.0]),
    st.integers(1, 3),
    st.integers(3, 6),
    st.integers(0, 999),
)
def test_widths_only_grow_and_stay_between_their_limits(growth, scale, least, most, seed):
    def widths(simulations: int) -> Counter[int]:
        search = EtaMcts(
            widening=Widening(growth, scale=scale, least=least, most=most, root_least=2, root_most=7), rollouts=0
        )
        scorer = TableScorer(lambda *texts: hashed(str(seed), *texts))
        world = World(vocabulary=40, depth=9, final=0.0)
        return fan_out(grow(search, ScriptedPolicy(world), simulations, scorer=scorer))

    before, after = widths(30), widths(60)
    assert all(after[node] >= width for node, width in before.items())
    assert after[0] <= 7
    assert all(width <= most for node, width in after.items() if node)


# --- options ----------------------------------------------------------------------------------------------------------


def test_an_option_like_a_sibling_is_drawn_again_and_the_farthest_draw_is_kept():
    drawn = iter(["aaaa", "aaab", "aabb", "abbb"])
    policy = ScriptedPolicy(lambda request: ((step(next(drawn)),),))
    search = EtaMcts(merging=Merging(nearest=4, redraws=2), widening=Widening("importance", least=2), rollouts=0)
    tree = grow(search, policy, 2, scorer=constant(0.5))
    assert texts_of(tree.steps) == ("aaaa", "abbb")
    assert tree.spent.policy_calls == 4


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.sampled_from([1.0, 3.0]), st.integers(0, 6))
def test_no_option_enters_twice_beneath_a_node(seed, nearest, redraws):
    policy = ScriptedPolicy(World(vocabulary=4, depth=5))
    search = EtaMcts(merging=Merging(nearest=nearest, redraws=redraws), rollouts=0)
    tree = grow(search, policy, 40, scorer=TableScorer(lambda *texts: hashed(str(seed), *texts)))
    siblings = Counter((int(tree.parent[n]), tree.steps[n].text, tree.steps[n].end) for n in range(1, len(tree.steps)))
    assert max(siblings.values()) == 1


@pytest.mark.parametrize(
    ("likeness", "distance"), [(Likeness.EDITS, 2.0), (Likeness.SHARE, 2 / 9), (Likeness.TOKENS, 0.2)]
)
def test_distances(likeness, distance):
    ways = Merging(likeness.value)
    assert ways.distance(Step("1 + 1 = 2"), [Step("1 + 2 = 3"), Step("nothing like")]) == pytest.approx(distance)
    assert ways.distance(Step("x"), []) == math.inf


def test_a_judge_says_of_each_sibling_whether_an_option_is_another_way_to_say_it():
    """`b` says what `a` does, so a third draw is asked for; `c` is new, and without a judge everything is."""
    shown = []

    def says_the_same(question: str, *texts: str) -> float:
        shown.extend([texts] if len(texts) == 2 else [])
        return 0.9 if set(texts[-2:]) == {"a", "b"} else 0.2

    search = EtaMcts(merging=Merging("judge", nearest=0.5), widening=Widening("importance", least=3), rollouts=0)
    for judge, kept in ((TableScorer(says_the_same), ("a", "c", "d")), (None, ("a", "b", "c"))):
        drawn = iter("abcd")
        policy = ScriptedPolicy(lambda request, drawn=drawn: ((step(next(drawn)),),))
        assert texts_of(grow(search, policy, 3, scorer=constant(0.5), judge=judge).steps) == kept
    assert shown == [("a", "b"), ("a", "c"), ("a", "d"), ("c", "d")]


def test_an_option_goes_on_until_it_has_a_formula_but_not_for_ever():
    said = iter(["first", "so $x$", "then", "well", "hm $y$"])
    policy = ScriptedPolicy(lambda request: ((step(next(said)),),))
    search = EtaMcts(option=EndRule(r"\$.*\$"), widening=Widening("importance", least=1), rollouts=0)
    tree = grow(search, policy, 2, scorer=constant(0.5))
    assert texts_of(tree.steps) == ("first\n\nso $x$", "then\n\nwell")
    assert tree.steps[1].token_ids == (*step("first").token_ids, *step("so $x$").token_ids)


def test_at_the_last_depth_an_option_runs_to_the_end():
    policy = ScriptedPolicy(World(depth=6, final=0.0))
    tree = grow(EtaMcts(end_depth=2, rollouts=0), policy, 12, scorer=constant(0.5))
    asked = [(len(request.state.steps), request.until) for request in policy.asked.values()]
    assert {until for depth, until in asked if depth == 1} == {Until.END}
    assert {until for depth, until in asked if depth == 0} == {Until.STEP}
    assert max(len(tree.path(node)) for node in range(len(tree.steps))) == 2
    assert all(tree.steps[int(node)].end is StepEnd.FINAL for node in tree.finals())


def test_the_first_option_of_a_node_may_be_the_most_likely_one():
    policy = ScriptedPolicy(World(vocabulary=9, depth=9, final=0.0))
    grow(EtaMcts(greedy_first=True, rollouts=0, temperature=0.7), policy, 12, scorer=constant(0.5))
    temperatures: dict[tuple[str, ...], list[float]] = {}
    for request in policy.asked.values():
        temperatures.setdefault(texts_of(request.state.steps), []).append(request.temperature)
    assert all(told[0] == 0.0 and set(told[1:]) <= {0.7} for told in temperatures.values())


# --- the score --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [(0.0, -1.0), (1.0, 3.0), (0.5, 1.0)])
def test_scores_are_on_the_published_scale(value, expected):
    engines = {name: constant(value) for name in ("scorer", "prm", "orm")}
    tree = grow(EtaMcts(), ScriptedPolicy(World(depth=4, final=0.0)), 1, **engines)
    assert tree.value_sum[1] == tree.value_sum[0] == pytest.approx(expected)


def test_a_score_is_the_weighted_sum_of_what_the_critics_say():
    search = EtaMcts(beta_value=2.0, beta_prm=0.5, beta_orm=4.0, rollouts=3)
    engines = {"scorer": constant(0.75), "prm": constant(0.25), "orm": constant(0.125)}
    tree = grow(search, ScriptedPolicy(World(depth=4, final=0.0)), 1, **engines)
    assert tree.value_sum[1] == pytest.approx(2.0 * 0.5 + 0.5 * 0.25 + 4.0 * 0.125)
    assert tree.value[1] == 0.75


@pytest.mark.parametrize(("value", "expected"), [(0.0, -2.0), (1.0, 2.0), (0.5, 0.0)])
def test_renorm_centres_process_and_outcome_reward(value, expected):
    engines = {name: constant(value) for name in ("scorer", "prm", "orm")}
    tree = grow(EtaMcts(blend="renorm"), ScriptedPolicy(World(depth=4, final=0.0)), 1, **engines)
    assert tree.value_sum[1] == tree.value_sum[0] == pytest.approx(expected)


def test_under_renorm_a_critic_that_is_not_there_says_as_much_as_one_that_cannot_tell():
    search, sums = EtaMcts(blend="renorm", beta_prm=2.0), []
    for orm in (None, constant(0.5)):
        policy = ScriptedPolicy(World(depth=4, final=0.0))
        sums.append(grow(search, policy, 1, scorer=constant(0.5), prm=constant(0.875), orm=orm).value_sum[1])
    assert sums == [0.75, 0.75]


def test_rollouts_are_the_fast_policys_and_stay_out_of_the_tree():
    policy, fast = ScriptedPolicy(World(depth=5, final=0.0)), ScriptedPolicy(World(depth=5, final=0.0))
    orm = constant(0.5)
    tree = grow(EtaMcts(rollouts=3, rollout_temperature=0.9), policy, 2, scorer=constant(0.5), orm=orm, fast=fast)
    asked: list[Propose] = list(fast.asked.values())
    assert [(request.width, request.until, request.temperature) for request in asked] == [(3, Until.END, 0.9)] * 2
    assert len(tree.steps) == 3
    assert len(orm.asked) == 6
    assert tree.spent.tokens_generated == policy.tokens_generated + fast.tokens_generated


def test_the_orm_ranks_finished_solutions():
    names = iter(["a.", "b.", "c."])
    policy = ScriptedPolicy(lambda request: ((step(next(names)),),))
    orm = TableScorer(lambda question, *texts: {"b.": 0.9}.get("".join(texts), 0.2))
    tree = grow(EtaMcts(), policy, 3, scorer=constant(0.5), orm=orm)
    assert texts_of(tree.path(tree.answer)) == ("b.",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EtaMcts(beta_orm=-1.0),
        lambda: EtaMcts(end_depth=0),
        lambda: EtaMcts(blend="mean"),
        lambda: EndRule("("),
        lambda: EndRule(extensions=-1),
        lambda: Merging("looks"),
        lambda: Merging(redraws=-1),
        lambda: Widening("importance", least=3, most=2),
        lambda: Widening("importance", root_least=9, root_most=8),
    ],
)
def test_settings_that_cannot_be_are_told(make):
    with pytest.raises(ValueError, match="expected"):
        make()
