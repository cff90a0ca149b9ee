"""Modelled engines: as fast as their speed says, whoever drives them, and no part of what a search finds."""

from dataclasses import replace

import pytest
from architectures import QWEN_7B, QWEN_15B
from fakes import assert_same_tree
from modelled import ModelledPolicy, ModelledScorer, World
from simulated import Clock
from speeds import A100_40, H100, Speed

from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, RolloutBranching
from mcts.types import Problem, Propose, Score, State, Ticket, Until
from mcts.walk import Query

FAST = Speed(QWEN_7B, H100)
SLOTS = 32


@pytest.fixture(scope="module")
def world():
    return World(prompt=150, step=20, steps=6)


def draw(number, width=1):
    return Propose(State(Problem(str(number), "q")), width, Until.END, 1.0, 512, seed=number)


def drawn(world, speed, requests, engines=1):
    """The replies in their order, the clock, and the policy."""
    clock = Clock()
    policy = ModelledPolicy(clock, world, speed, engines, slots=SLOTS)
    for number, request in enumerate(requests):
        policy.submit(Ticket("t", number), request)
    done = []
    while len(done) < len(requests):
        done += policy.poll(1.0)
    return done, clock, policy


def test_a_full_engine_generates_as_fast_as_its_speed_says(world):
    done, clock, policy = drawn(world, FAST, [draw(n) for n in range(40 * SLOTS)])
    mean = policy.tokens_generated / len(done)
    rate = FAST.tokens_per_second(SLOTS, world.prompt + mean / 2)
    reading = len(done) * FAST.reading_s(world.prompt)
    seconds = clock.now_s - clock.python_s - reading
    assert 0.9 < policy.tokens_generated / seconds / rate < 1.02  # the last ones leave it half empty


def test_engines_share_requests_and_the_shortest_is_finished_first(world):
    requests = [draw(n) for n in range(SLOTS)]
    done, alone, _ = drawn(world, FAST, requests)
    lengths = [sum(len(step.token_ids) for step in reply[0]) for _, reply in done]
    assert lengths == sorted(lengths)
    assert sorted(ticket.number for ticket, _ in done) == list(range(SLOTS))
    many = [draw(n) for n in range(40 * SLOTS)]
    one, four = (drawn(world, FAST, many, engines)[1] for engines in (1, 4))
    assert 2.8 < (one.now_s - one.python_s) / (four.now_s - four.python_s) < 4.2
    assert alone.now_s < one.now_s


def test_a_request_is_answered_when_its_last_continuation_is(world):
    ((_, reply),), clock, _ = drawn(world, FAST, [draw(3, width=8)])
    longest = max(sum(len(step.token_ids) for step in line) for line in reply)
    assert clock.now_s >= longest * FAST.decoding_s(1, 0)


def test_solutions_that_wait_for_the_prm_are_read_together(world):
    clock = Clock()
    scorer = ModelledScorer(clock, world, Speed(QWEN_15B, H100), 1)
    ((_, (steps,)),), _, _ = drawn(world, FAST, [draw(5)])
    for number in range(40):
        scorer.submit(Ticket("t", number), Score(State(Problem("p", "q"), steps)))
    first, rest = scorer.poll(1.0), []
    while len(first) + len(rest) < 40:
        rest += scorer.poll(1.0)
    assert len(first) < 40
    assert clock.now_s - clock.python_s >= Speed(QWEN_15B, H100).reading_s(scorer.tokens_read)
    assert all(len(values) == len(steps) + 1 for _, values in (*first, *rest))


@pytest.mark.parametrize("search", [RolloutBranching(), BestOfN(width=3)])
def test_a_tree_is_the_same_on_slow_engines_and_on_many(world, search):
    def grown(speed, engines):
        clock = Clock()
        policy = ModelledPolicy(clock, world, speed, engines, slots=4)
        scheduler = Scheduler(
            policy, ModelledScorer(clock, world, speed, 1), max_depth=64, max_tokens=512, trees_at_once=6
        )
        queries = [Query(Problem(str(n), "q"), search, Budget(tokens=400), seed=n) for n in range(12)]
        trees = {tree.problem.id: tree for tree in scheduler.run(queries)}
        assert policy.tokens_generated == sum(tree.spent.tokens_generated for tree in trees.values())
        return trees, clock

    (trees, quick), (others, slow) = grown(FAST, 3), grown(Speed(QWEN_7B, A100_40), 1)
    assert quick.now_s < slow.now_s
    assert 0 < quick.python_s < quick.now_s
    for name, tree in trees.items():
        assert len(tree.parent) > 5
        other = others[name]
        assert tree.spent.tokens_generated == other.spent.tokens_generated
        assert_same_tree(replace(tree, spent=other.spent), other)
