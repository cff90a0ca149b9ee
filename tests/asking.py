"""Asking a policy in tests, and holding its greedy replies against those of another engine."""

import time

import pytest

from mcts.types import Problem, Propose, State, Ticket, Until
from policy.base import PolicySize

WORDS = tuple("abcdefghij")
TINY = PolicySize(hidden=128, layers=2, heads=4, intermediate=64, max_positions=64)
NEAR_TIE = 1e-3


def ask(question="a b c", steps=(), *, width=1, until=Until.END, temperature=1.0, max_tokens=12, seed=5 << 40):
    return Propose(State(Problem("p", question), tuple(steps)), width, until, temperature, max_tokens, seed)


def replies(policy, requests, patience_s=60.0):
    """The replies to all requests, in their order."""
    name = f"t{time.monotonic_ns()}"
    for i, request in enumerate(requests):
        policy.submit(Ticket(name, i), request)
    arrived, end = {}, time.monotonic() + patience_s
    while len(arrived) < len(requests) and time.monotonic() < end:
        arrived |= {ticket.number: reply for ticket, reply in policy.poll(0.2)}
    return [arrived[i] for i in range(len(requests))]


def tokens_of(line):
    """(token, log-probability) pairs of a continuation."""
    return [pair for step in line for pair in zip(step.token_ids, step.logprobs, strict=True)]


def assert_alike_but_for_near_ties(ours, theirs):
    """Whether the same tokens were the most likely, with the same probabilities. Returns 1 where it was a near tie."""
    for (token, logprob), (other, expected) in zip(tokens_of(ours), tokens_of(theirs), strict=False):
        if token != other:  # both were within rounding of being the most likely
            assert logprob == pytest.approx(expected, abs=NEAR_TIE)
            return 1
        assert logprob == pytest.approx(expected, abs=1e-4)
    assert [(step.text, step.token_ids, step.end) for step in ours] == [
        (step.text, step.token_ids, step.end) for step in theirs
    ]
    return 0
