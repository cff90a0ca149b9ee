"""Engines for tests: replies are hashes of what was asked; they arrive in any order, some now and some later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any

import numpy as np

from mcts.seeds import seed_of
from mcts.tree import NO_NODE, Flag, Record, SearchTree
from mcts.types import Problem, Proposal, Propose, Score, Spent, State, Step, StepEnd, Ticket, Until, Values

END_TOKENS = {StepEnd.DELIMITER: (10,), StepEnd.FINAL: (11,), StepEnd.TRUNCATED: ()}
MARKS = {".": StepEnd.FINAL, "~": StepEnd.TRUNCATED}


def texts_of(steps: Iterable[Step | None]) -> tuple[str, ...]:
    """The steps as they read."""
    return tuple(step.text for step in steps if step is not None)


def step(name: str) -> Step:
    """A step of one token: `"a"` goes on, `"a."` completes the solution, `"a~"` was cut off by the token limit."""
    end = MARKS.get(name[-1:], StepEnd.DELIMITER)
    return Step(name, (sum(name.encode()),), (-0.5,), end)


def script(lines: Mapping[tuple[str, ...], Sequence[str]]) -> Callable[[Propose], Proposal]:
    """A policy that knows by heart what comes after each prefix."""
    return lambda request: tuple((step(name),) for name in lines[texts_of(request.state.steps)])


@dataclass(frozen=True)
class World:
    """Random solutions: what a request draws is a hash of its seed.

    Attributes:
        vocabulary: Different steps.
        depth: Steps of the longest solution.
        final: Chance that a step completes the solution before that.
        truncated: Chance that a step meets the token limit.
        empty: Chance that a step says nothing.
        with_ids: Whether steps carry tokens; some servers send text alone.
    """

    vocabulary: int = 3
    depth: int = 4
    final: float = 0.2
    truncated: float = 0.0
    empty: float = 0.0
    with_ids: bool = True

    def __call__(self, request: Propose) -> Proposal:
        return tuple(self._continuation(request, Random(seed_of(request.seed, i))) for i in range(request.width))

    def _continuation(self, request: Propose, rng: Random) -> tuple[Step, ...]:
        steps: list[Step] = []
        while not steps or (request.until is Until.END and steps[-1].end is StepEnd.DELIMITER):
            steps.append(self._step(len(request.state.steps) + len(steps), rng))
        return tuple(steps)

    def _step(self, depth: int, rng: Random) -> Step:
        word, fate = rng.randrange(self.vocabulary), rng.random()
        end = StepEnd.DELIMITER
        if depth + 1 >= self.depth or fate < self.final:
            end = StepEnd.FINAL
        elif fate > 1 - self.truncated:
            end = StepEnd.TRUNCATED
        text = "" if rng.random() < self.empty else f"s{word}"
        if not self.with_ids:
            return Step(text, end=end)
        tokens = (*[word] * (1 + word % 3), *END_TOKENS[end])
        return Step(text, tokens, tuple(-0.25 * (1 + token % 4) for token in tokens), end)


def hashed(*texts: str, grain: int = 1 << 20) -> float:
    """A value in [0, 1) in steps of 1 / `grain`; a coarse grain makes ties."""
    return seed_of(*texts) % grain / grain


class _Engine:
    """Keeps what was asked; gives out part of what is waiting in an order of its own.

    Args:
        arrival: Seed of the order in which replies come; None answers all at once and in order.
    """

    def __init__(self, reply: Callable[[Any], Any], arrival: int | None, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.asked: dict[Ticket, Any] = {}
        self.replies: dict[Ticket, Any] = {}
        self._reply = reply
        self._waiting: list[Ticket] = []
        self._order = None if arrival is None else Random(arrival)

    def submit(self, ticket: Ticket, request: Any) -> None:
        assert ticket not in self.asked, f"{ticket} was asked twice"
        self.asked[ticket] = request
        self._waiting.append(ticket)

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Any]]:
        count = len(self._waiting) if timeout_s > 0 else 0
        if self._order is not None:
            self._order.shuffle(self._waiting)
            count = self._order.randint(0, len(self._waiting))
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        for ticket in taken:
            self.replies[ticket] = self._reply(self.asked[ticket])
        return [(ticket, self.replies[ticket]) for ticket in taken]


class ScriptedPolicy(_Engine):
    """A policy whose proposals are a function of the request."""

    def __init__(
        self,
        propose: Callable[[Propose], Proposal] | None = None,
        *,
        arrival: int | None = None,
        fingerprint: str = "policy",
    ) -> None:
        super().__init__(propose or World(), arrival, fingerprint)

    @property
    def prefixes(self) -> list[tuple[str, ...]]:
        """The states continuations were drawn at, in order."""
        return [texts_of(request.state.steps) for request in self.asked.values()]

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies."""
        return sum(
            len(step.token_ids)
            for proposal in self.replies.values()
            for continuation in proposal
            for step in continuation
        )


class TableScorer(_Engine):
    """A scorer whose value of a prefix is a function of the question and of how the prefix reads."""

    def __init__(
        self,
        value: Callable[..., float] = hashed,
        *,
        arrival: int | None = None,
        fingerprint: str = "scorer",
    ) -> None:
        super().__init__(lambda request: self.score(request.state), arrival, fingerprint)
        self._value = value

    def submit(self, ticket: Ticket, request: Score) -> None:
        assert isinstance(request, Score)
        super().submit(ticket, request)

    def score(self, state: State) -> Values:
        """The reply to a request."""
        texts = texts_of(state.steps)
        return tuple(self._value(state.problem.question, *texts[:k]) for k in range(len(texts) + 1))


class HashChecker:
    """Accepts about one solution in `odds`."""

    def __init__(self, odds: int = 3) -> None:
        self.odds = odds

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        return seed_of("check", problem.question, *texts_of(steps)) % self.odds == 0


def search_tree(
    parent: Sequence[int], *, finals: Sequence[int] = (), visits: Sequence[int] | None = None
) -> SearchTree:
    """A finished tree of a given shape."""
    count = len(parent)
    flags = np.zeros(count, np.uint16)
    flags[list(finals)] = Flag.FINAL | Flag.CLOSED
    return SearchTree(
        problem=Problem("p", "q"),
        strategy="made up",
        seed=0,
        spent=Spent(),
        answer=NO_NODE,
        steps=(None, *(Step(f"n{n}") for n in range(1, count))),
        parent=np.asarray(parent, np.int32),
        visits=np.asarray(visits if visits is not None else [0] * count, np.int32),
        value_sum=np.zeros(count),
        value=np.full(count, np.nan, np.float32),
        prior=np.ones(count, np.float32),
        flags=flags,
    )


def assert_same_tree(a: SearchTree | Record, b: SearchTree | Record) -> None:
    """Every field is equal, to the last bit."""
    for column in fields(a):
        left, right = getattr(a, column.name), getattr(b, column.name)
        if isinstance(left, Record) and right is not None:
            assert_same_tree(left, right)
        elif isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, column.name
            np.testing.assert_array_equal(left, right, err_msg=column.name, strict=True)
        else:
            assert left == right, column.name
