"""Searching finished trees again: any search, through the ordinary scheduler, with a pool of draws for an engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcts.errors import InputError
from mcts.pool import NOT_KEPT, Pool, keeps_its_draws
from mcts.ports import Checker
from mcts.scheduler import Scheduler
from mcts.tree import SearchTree
from mcts.types import Proposal, Propose, Score, Ticket, Values, tokens_in
from mcts.walk import Query


class PoolPolicy:
    """Deals the draws of pools. Implements `mcts.ports.Policy`.

    Args:
        pools: By the name of the tree that is searched again.

    Attributes:
        lacking: Trees that asked for what was never generated: they were told that there is nothing more.
    """

    fingerprint = "pool"

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._replies: list[tuple[Ticket, Proposal]] = []
        self.lacking: set[str] = set()
        self.tokens_generated = 0

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Queue a request. Returns at once."""
        proposal = self._pools[ticket.tree].proposal(request)
        if proposal is None:
            self.lacking.add(ticket.tree)
        self.tokens_generated += tokens_in(proposal or ())
        self._replies.append((ticket, proposal or ()))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take the finished replies. Never waits."""
        replies, self._replies = self._replies, []
        return replies


class PoolScorer:
    """Gives the scores of pools. Implements `mcts.ports.StepScorer`.

    Args:
        pools: By the name of the tree that is searched again.

    Attributes:
        lacking: Trees that asked for what was never scored: they were told NaN, which ends them.
    """

    fingerprint = "pool"

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._replies: list[tuple[Ticket, Values]] = []
        self.lacking: set[str] = set()

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        values = self._pools[ticket.tree].values(request.state)
        if values is None:
            self.lacking.add(ticket.tree)
        self._replies.append((ticket, values or (math.nan,) * (len(request.state.steps) + 1)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies. Never waits."""
        replies, self._replies = self._replies, []
        return replies


@dataclass(frozen=True, slots=True)
class Replay:
    """A tree that was searched again.

    Attributes:
        tree: As the search left it, or as it stood when it asked for what was never generated.
        covered: How many of the query's marks, or of its one budget without marks, were reached before that.
    """

    tree: SearchTree
    covered: int


def replay(
    queries: Sequence[Query], pools: Sequence[Pool], *, checker: Checker | None, scored: bool, max_depth: int
) -> list[Replay]:
    """Search the trees of `pools` again, each by its query.

    With the query by which a tree was grown, its checker and its depth, the tree comes out as it went in, to the bit.

    Args:
        scored: Whether the search is told values.

    Raises:
        InputError: The search makes draws that it does not keep (rollouts): a pool has none of them.
    """
    by_name = {str(i): pool for i, pool in enumerate(pools)}
    policy, scorer = PoolPolicy(by_name), PoolScorer(by_name) if scored else None
    scheduler = Scheduler(policy, scorer, checker=checker, max_depth=max_depth)
    walks = [scheduler.plant(query, str(i)) for i, query in enumerate(queries)]
    found: dict[str, Replay] = {}
    while scheduler.is_busy:
        for walk in scheduler.advance():
            is_covered = walk.name not in policy.lacking | (scorer.lacking if scorer else set())
            marks = max(1, len(walk.query.marks))
            tree = replace(scheduler.harvest(walk), failure="")
            found[walk.name] = Replay(tree, marks if is_covered else len(walk.kept))
        scheduler.poll()
    replays = [found[walk.name] for walk in walks]
    for tree in (tree for one in replays for tree in _covered(one)):
        if not keeps_its_draws(tree):
            raise InputError(NOT_KEPT.format(tree.strategy))
    return replays


def _covered(one: Replay) -> Sequence[SearchTree]:
    return one.tree.at_marks[: one.covered] if one.tree.at_marks else (one.tree,) * one.covered
