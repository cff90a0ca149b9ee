"""The scheduler: drives many searches at once and keeps their engines fed.

Each tree waits only for its own replies. Tree requests of all trees that are ready go into one compiled call; engine
requests are queued at once and answered in any order. Replies are committed by ticket, so a tree depends on nothing but
its own requests: the same seed gives the same tree whatever else is searched beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from mcts.errors import InputError
from mcts.forest import Forest, Tree
from mcts.journal import Journal, digest_of
from mcts.ports import Checker, Policy, StepScorer
from mcts.requests import Draw, EngineRequest, Request, Simulation, Value
from mcts.search.search import Search
from mcts.seeds import seed_of
from mcts.tree import SearchTree
from mcts.types import Problem, Proposal, Propose, Score, Spent, Ticket, Values

POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What one search may spend; it stops after the simulation that reaches any limit.

    Attributes:
        tokens: Generated tokens, as counted by the policy's replies.
        simulations: Simulations.
        stop_when_solved: Stop at the first solution a checker accepts.
    """

    tokens: int | None = None
    simulations: int | None = None
    stop_when_solved: bool = False

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.tokens, self.simulations) if limit is not None]
        if not limits or min(limits) < 1:
            raise ValueError(f"budget: expected tokens or simulations of at least 1, got {self}")


@dataclass(frozen=True, slots=True)
class Query:
    """One tree to grow. (`search.name`, `problem.id`) must be unique within a run of the scheduler."""

    problem: Problem
    search: Search
    budget: Budget
    seed: int


@dataclass(slots=True)
class _Walk:
    """A tree, the simulation that is growing it, and the replies it waits for."""

    query: Query
    tree: Tree
    name: str
    simulation: Simulation | None = None
    requests: tuple[Request, ...] = ()
    replies: dict[int, object] = field(default_factory=dict)
    is_tuple: bool = False
    tickets: int = 0
    simulations: int = 0
    spent: Spent = field(default_factory=Spent)
    is_exhausted: bool = False

    def is_answered(self) -> bool:
        """Whether every request has its reply."""
        return len(self.replies) == len(self.requests)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits for a ticket's reply."""

    walk: _Walk
    index: int
    digest: str
    is_score: bool


class Scheduler:
    """Runs searches against one policy and one scorer.

    Args:
        scorer: None searches without values (every value is NaN).
        checker: The task's checker, where searches may see verdicts.
        max_depth: Steps after which a branch is closed.
        max_tokens: Limit per continuation.
        trees_at_once: Trees in flight; a new problem is drawn in when one finishes.
        journal: Where replies are recorded and replayed from.

    Raises:
        ValueError: There is no room for a single tree.
    """

    def __init__(
        self,
        policy: Policy,
        scorer: StepScorer | None,
        *,
        checker: Checker | None = None,
        max_depth: int = 16,
        max_tokens: int = 256,
        trees_at_once: int = 256,
        journal: Journal | None = None,
    ) -> None:
        if trees_at_once < 1:
            raise ValueError(f"trees_at_once: expected at least 1, got {trees_at_once}")
        self._policy = policy
        self._scorer = scorer
        self._forest = Forest(max_depth=max_depth, checker=checker)
        self._max_tokens = max_tokens
        self._trees_at_once = trees_at_once
        self._journal = journal
        self._waiting: dict[Ticket, _Waiting] = {}

    def run(self, queries: Iterable[Query]) -> Iterator[SearchTree]:
        """Search every query; yield trees as they finish, in no particular order.

        Raises:
            ValueError: Two queries have the same search name and problem id.
        """
        queue = iter(queries)
        names: set[str] = set()
        active: dict[str, _Walk] = {}
        ready: list[_Walk] = []
        while True:
            for query in islice(queue, self._trees_at_once - len(active)):
                walk = self._plant(query)
                if walk.name in names:
                    raise ValueError(f"{walk.name} is searched twice: expected each problem once per strategy")
                names.add(walk.name)
                active[walk.name] = walk
                ready.append(walk)
            if not active:
                return
            for walk in self._advance(ready):
                del active[walk.name]
                yield self._finish(walk)
            ready = self._poll() if self._waiting else []

    # --- one walk ---------------------------------------------------------------------------------------------------

    def _plant(self, query: Query) -> _Walk:
        tree = self._forest.plant(query.problem, query.seed)
        return _Walk(query, tree, f"{query.search.name}/{query.problem.id}")

    def _advance(self, ready: list[_Walk]) -> Iterator[_Walk]:
        """Carry every ready walk on until it waits for an engine or has finished; yield the finished ones."""
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
                if not isinstance(request, Draw | Value)
            ]
            answers = self._forest.perform([(walk.tree, request) for walk, _, request in batch])
            for (walk, i, _), answer in zip(batch, answers, strict=True):
                walk.replies[i] = answer
            ready = [walk for walk in moving if walk.is_answered()]

    def _resume(self, walk: _Walk) -> bool:
        """Hand a walk its replies and take its next requests. Returns False when its search is over."""
        reply: object = None
        if walk.simulation is not None:
            replies = tuple(self._commit(walk, i, request) for i, request in enumerate(walk.requests))
            reply = replies if walk.is_tuple else replies[0]
        while True:
            if walk.simulation is None:
                if self._is_over(walk):
                    return False
                walk.simulation = walk.query.search.simulate(self._forest, walk.tree)
            try:
                request = walk.simulation.send(reply)
            except StopIteration as stop:
                walk.simulation, reply = None, None
                walk.simulations += 1
                walk.is_exhausted = not stop.value
                continue
            walk.is_tuple = isinstance(request, tuple)
            walk.requests = request if isinstance(request, tuple) else (request,)
            walk.replies = {}
            for i, item in enumerate(walk.requests):
                if isinstance(item, Draw | Value):
                    self._ask(walk, i, item)
            return True

    def _is_over(self, walk: _Walk) -> bool:
        budget = walk.query.budget
        return (
            walk.is_exhausted
            or (budget.tokens is not None and walk.spent.tokens_generated >= budget.tokens)
            or (budget.simulations is not None and walk.simulations >= budget.simulations)
            or (budget.stop_when_solved and self._forest.is_solved(walk.tree))
        )

    def _finish(self, walk: _Walk) -> SearchTree:
        answer = self._forest.best_final(walk.tree)
        tree = self._forest.export(walk.tree, strategy=walk.query.search.name, spent=walk.spent, answer=answer)
        self._forest.release(walk.tree)
        return tree

    # --- engines ----------------------------------------------------------------------------------------------------

    def _ask(self, walk: _Walk, i: int, request: EngineRequest) -> None:
        """Send a request to its engine, or answer it from the journal."""
        ticket = Ticket(walk.name, walk.tickets)
        walk.tickets += 1
        state = self._forest.state(walk.tree, request.node, request.beyond)
        if isinstance(request, Draw):
            seed = seed_of(walk.tree.seed, ticket.number, "draw")
            draw = Propose(state, request.width, request.until, request.temperature, self._max_tokens, seed)
            if not self._replay(walk, i, ticket, self._policy.fingerprint, draw):
                self._policy.submit(ticket, draw)
        elif self._scorer is None:
            walk.replies[i] = (float("nan"),)
        else:
            score = Score(state)
            if not self._replay(walk, i, ticket, self._scorer.fingerprint, score):
                self._scorer.submit(ticket, score)

    def _replay(self, walk: _Walk, i: int, ticket: Ticket, fingerprint: str, asked: Propose | Score) -> bool:
        """Answer from the journal if it holds the reply; else note who waits for it."""
        digest = digest_of(fingerprint, asked) if self._journal else ""
        recorded = self._journal.recorded(ticket, digest, asked) if self._journal else None
        if recorded is None:
            self._waiting[ticket] = _Waiting(walk, i, digest, isinstance(asked, Score))
            return False
        walk.replies[i] = recorded
        return True

    def _poll(self) -> list[_Walk]:
        """Collect replies, the scorer's first: they are quick and fill the policy's next batch."""
        arrived: list[tuple[Ticket, Proposal | Values]] = []
        if self._scorer is not None and any(waiting.is_score for waiting in self._waiting.values()):
            arrived.extend(self._scorer.poll(POLL_S))
        if not arrived:
            arrived.extend(self._policy.poll(POLL_S))
        complete: list[_Walk] = []
        for ticket, reply in arrived:
            waiting = self._waiting.pop(ticket)
            waiting.walk.replies[waiting.index] = reply
            if self._journal is not None:
                self._journal.append(ticket, waiting.digest, reply)
            if waiting.walk.is_answered():
                complete.append(waiting.walk)
        if self._journal is not None:
            self._journal.flush()
        return complete

    def _commit(self, walk: _Walk, i: int, request: Request) -> object:
        """Enter a reply into its tree and its account. Called in ticket order, whatever the order of arrival."""
        if isinstance(request, Draw):
            proposal = cast(Proposal, walk.replies[i])
            tokens = sum(len(step.token_ids) for continuation in proposal for step in continuation)
            walk.spent += Spent(tokens_generated=tokens, policy_calls=1)
            if not request.beyond:
                self._forest.count_draws(request.node, len(proposal))
            return proposal
        if isinstance(request, Value):
            values = cast(Values, walk.replies[i])
            if self._scorer is not None:
                steps = self._forest.state(walk.tree, request.node, request.beyond).steps
                if len(values) != len(steps) + 1:
                    raise InputError(f"{walk.name}: the scorer gave {len(values)} values, expected {len(steps) + 1}")
                walk.spent += Spent(tokens_scored=sum(len(step.token_ids) for step in steps), scorer_calls=1)
                if not request.beyond:
                    self._forest.assign(request.node, values)
            return float(values[-1])
        return walk.replies[i]
