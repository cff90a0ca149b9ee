"""The scheduler: drives many searches at once and keeps their engines fed.

Each tree waits only for its own replies. Tree requests of all trees that are ready go into one compiled call; engine
requests are queued at once and answered in any order. Replies are committed by ticket, so a tree depends on nothing but
its own requests: the same seed gives the same tree whatever else is searched beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import cast

from mcts.aggregate import aggregated
from mcts.forest import Forest
from mcts.journal import Recorder, digest_of
from mcts.lane import POLL_S, Lane, Waiting, poll
from mcts.panel import NOBODY, Panel
from mcts.perform import perform
from mcts.ports import Checker, Policy, StepScorer
from mcts.requests import Critique, Draw, EngineRequest, Request, Value
from mcts.seeds import seed_of
from mcts.seen import Seen
from mcts.silence import Silence
from mcts.tree import SearchTree
from mcts.types import Proposal, Propose, Role, Score, Spent, Ticket, Values, tokens_in
from mcts.usable import BadReplyError, check_proposal, check_values
from mcts.walk import Query, Walk

ENGINE_REQUESTS = (Draw, Value, Critique)
IS_FINISHED = 0.5
"""From this value of its critic on, a solution counts as finished."""


class NothingMoreError(Exception):
    """The policy has nothing more to give: the search is over, and its tree is whole."""


class Scheduler:
    """Runs searches against one policy and one scorer.

    Args:
        scorer: None searches without values (every value is NaN).
        panel: Who else may be asked.
        checker: The task's checker, where searches may see verdicts.
        max_depth: Steps after which a branch is closed.
        max_tokens: Limit per continuation.
        trees_at_once: Trees in flight; a new problem is drawn in when one finishes.
        silence_s: Seconds without any reply after which engines that owe some are given up.
        journal: Where replies are recorded and replayed from.

    Raises:
        ValueError: There is no room for a single tree.
    """

    def __init__(
        self,
        policy: Policy,
        scorer: StepScorer | None,
        *,
        panel: Panel = NOBODY,
        checker: Checker | None = None,
        max_depth: int = 16,
        max_tokens: int = 256,
        trees_at_once: int = 256,
        silence_s: float = 1800.0,
        journal: Recorder | None = None,
    ) -> None:
        if trees_at_once < 1:
            raise ValueError(f"trees_at_once: expected at least 1, got {trees_at_once}")
        self._lanes = {role: Lane(engine) for role, engine in panel.engines()} | {Role.POLICY: Lane(policy)}
        if scorer is not None:
            self._lanes[Role.SCORER] = Lane(scorer)
        self._forest = Forest(max_depth=max_depth, checker=checker)
        self._max_tokens = max_tokens
        self._trees_at_once = trees_at_once
        self._silence = Silence(silence_s)
        self._journal = journal
        self._ready: list[Walk] = []

    def run(self, queries: Iterable[Query]) -> Iterator[SearchTree]:
        """Search every query; yield trees as they finish, in no particular order.

        A tree whose engine gives a reply that cannot be used is yielded with a `failure`; the others go on.

        Raises:
            ValueError: Two queries have the same search name and problem id.
            SilentError: As `poll` does.
        """
        queue = iter(queries)
        names = Seen()
        searched = 0
        while True:
            for query in islice(queue, self._trees_at_once - searched):
                name = f"{query.search.name}/{query.problem.id}"
                if not names.is_new(name):
                    raise ValueError(f"{name} is searched twice: expected each problem once per strategy")
                self.plant(query, name)
                searched += 1
            if not searched:
                return
            for walk in self.advance():
                searched -= 1
                yield self.harvest(walk)
            self.poll()

    # --- one pass ---------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a walk is ready, or an engine still has something to tell."""
        return bool(self._ready) or any(lane.is_busy for lane in self._lanes.values())

    def plant(self, query: Query, name: str) -> Walk:
        """Begin a tree, which the next `advance` takes up. No other tree that is under way may have its `name`."""
        walk = Walk(query, self._forest.plant(query.problem, query.seed), name)
        self._ready.append(walk)
        return walk

    def snapshot(self, walk: Walk) -> SearchTree:
        """The tree as it stands. Not while `advance` runs; while engines are polled it may be asked for."""
        return walk.export(self._forest)

    def harvest(self, walk: Walk) -> SearchTree:
        """The tree as it stands, finished or given up; its nodes go back, and replies still to come are dropped.

        May be called where `snapshot` may be.
        """
        tree = self.snapshot(walk)
        self._forest.release(walk.tree)
        return tree

    def advance(self) -> Iterator[Walk]:
        """Carry every ready walk on until it waits for an engine or has finished; yield the finished ones."""
        ready, self._ready = self._ready, []
        ready = [walk for walk in ready if not walk.is_released]
        while ready:
            moving = []
            for walk in ready:
                if self._resume(walk):
                    moving.append(walk)
                else:
                    yield walk
            batch = [
                (walk, i, request)
                for walk in moving
                for i, request in enumerate(walk.requests)
                if not isinstance(request, ENGINE_REQUESTS)
            ]
            answers = perform(self._forest, [(walk.tree, request) for walk, _, request in batch])
            for (walk, i, _), answer in zip(batch, answers, strict=True):
                walk.replies[i] = answer
            ready = [walk for walk in moving if walk.is_answered()]

    def poll(self, patience_s: float = POLL_S) -> None:
        """Take in replies; wait about `patience_s` where there are none, but for engines that compute in this call.

        Raises:
            SilentError: For too long there were none.
        """
        arrived = poll(self._lanes.values(), patience_s)
        self._silence.listen(self._lanes, is_broken=bool(arrived))
        for ticket, waiting, reply in arrived:
            waiting.walk.replies[waiting.index] = reply
            if self._journal is not None:
                self._journal.append(ticket, waiting.digest, reply)
            if waiting.walk.is_answered():
                self._ready.append(waiting.walk)
        if self._journal is not None:
            self._journal.flush()

    # --- one walk ---------------------------------------------------------------------------------------------------

    def _resume(self, walk: Walk) -> bool:
        """Hand a walk its replies and take its next requests. Returns False when its search is over."""
        reply: object = None
        if walk.simulation is not None:
            try:
                reply = self._committed(walk)
            except (NothingMoreError, BadReplyError) as end:
                walk.fail(str(end))
                return False
        while True:
            if walk.simulation is None:
                if self._is_over(walk):
                    return False
                walk.simulation = walk.query.search.simulate(self._forest, walk.tree)
            try:
                walk.expect(walk.simulation.send(reply))
            except StopIteration as stop:
                walk.simulation, reply = None, None
                walk.simulations += 1
                walk.is_exhausted = not stop.value
                continue
            if any(isinstance(request, Draw) for request in walk.requests) and self._is_over(walk):
                return False
            for i, request in enumerate(walk.requests):
                if isinstance(request, ENGINE_REQUESTS):
                    self._ask(walk, i, request)
            return True

    def _committed(self, walk: Walk) -> object:
        """What a simulation is sent on: its replies, entered into its tree."""
        replies = tuple(self._commit(walk, i, request) for i, request in enumerate(walk.requests))
        return replies if walk.is_tuple else replies[0]

    def _is_over(self, walk: Walk) -> bool:
        """Whether nothing more is to be drawn; keeps the tree at the marks that are reached."""
        walk.keep_at_marks(self._forest)
        budget = walk.query.budget
        return (
            walk.is_exhausted
            or budget.is_spent(walk.cost, len(walk.tree.nodes), walk.simulations)
            or (budget.stop_when_solved and walk.tree.is_solved)
            or (budget.seconds is not None and self._is_late(walk, walk.spent.seconds >= budget.seconds))
        )

    def _is_late(self, walk: Walk, by_the_clock: bool) -> bool:
        """Whether the clock stops a walk here. What its journal tells, of an earlier start, goes before the clock."""
        ticket = Ticket(walk.name, walk.tickets)
        if self._journal is None:
            return by_the_clock
        if self._journal.holds(ticket):
            return self._journal.is_stop(ticket)
        if by_the_clock:
            self._journal.append_stop(ticket)
            self._journal.flush()
        return by_the_clock

    # --- engines ----------------------------------------------------------------------------------------------------

    def _ask(self, walk: Walk, i: int, request: EngineRequest) -> None:
        """Send a request to its engine, or answer it from the journal."""
        ticket = Ticket(walk.name, walk.tickets)
        walk.tickets += 1
        state = self._forest.state(walk.tree, request.node, request.beyond)
        if isinstance(request, Draw):
            seed = seed_of(walk.tree.seed, ticket.number, "draw")
            drawn = 0 if request.beyond or request.by is Role.FAST else self._forest.draws(request.node)
            draw = Propose(state, request.width, request.until, request.temperature, self._max_tokens, seed, drawn)
            self._send(self._lanes.get(request.by, self._lanes[Role.POLICY]), ticket, draw, walk, i)
        elif (role := _role_of(request)) in self._lanes:
            self._send(self._lanes[role], ticket, Score(state), walk, i)
        else:
            walk.replies[i] = (math.nan,) * (len(state.steps) + 1)

    def _send(self, lane: Lane, ticket: Ticket, asked: Propose | Score, walk: Walk, i: int) -> None:
        """Answer from the journal if it holds the reply; else ask the engine."""
        digest = digest_of(lane.engine.fingerprint, asked) if self._journal else ""
        recorded = self._journal.recorded(ticket, digest, asked) if self._journal else None
        if recorded is None:
            lane.ask(ticket, asked, Waiting(walk, i, digest))
        else:
            walk.replies[i] = recorded

    def _commit(self, walk: Walk, i: int, request: Request) -> object:
        """Enter a reply into its tree and its account. Called in ticket order, whatever the order of arrival.

        Raises:
            BadReplyError: The reply cannot be used.
            NothingMoreError: The reply is that there is nothing more.
        """
        match request:
            case Draw():
                return self._commit_draw(walk, request, cast(Proposal, walk.replies[i]))
            case Value() | Critique() if _role_of(request) not in self._lanes:
                return False if isinstance(request, Critique) else math.nan
            case Value():
                values = self._commit_values(walk, request, cast(Values, walk.replies[i]))
                read = aggregated(values, walk.query.aggregate)
                if request.by is Role.SCORER and not request.beyond:
                    self._forest.assign(request.node, read, values)
                return float(read[-1])
            case Critique():
                return self._commit_values(walk, request, cast(Values, walk.replies[i]))[-1] >= IS_FINISHED
        return walk.replies[i]

    def _commit_draw(self, walk: Walk, request: Draw, proposal: Proposal) -> Proposal:
        walk.cost += Spent(tokens_generated=tokens_in(proposal), policy_calls=1)
        if not proposal:
            raise NothingMoreError
        check_proposal(proposal, request.width, self._forest.depth(request.node) + len(request.beyond))
        return proposal

    def _commit_values(self, walk: Walk, request: Value | Critique, values: Values) -> Values:
        steps = self._forest.state(walk.tree, request.node, request.beyond).steps
        walk.cost += Spent(tokens_scored=sum(len(step.token_ids) for step in steps), scorer_calls=1)
        check_values(values, len(steps), _role_of(request))
        return values


def _role_of(request: Value | Critique) -> Role:
    """Who is asked."""
    return Role.CRITIC if isinstance(request, Critique) else request.by
