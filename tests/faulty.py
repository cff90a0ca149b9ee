"""Engines to which things happen: replies that cannot be, replies late, twice, in another order or never, and death."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan
from random import Random
from typing import Any

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.types import Proposal, Step, StepEnd, Ticket, Values

LONG = Step("x" * 2_000, tuple(range(2_000)), (-0.001,) * 2_000, StepEnd.FINAL)


def _first(proposal: Proposal, **changed: Any) -> Proposal:
    """With another first step."""
    (step, *others), *rest = proposal
    return ((replace(step, **changed), *others), *rest)


PROPOSALS: dict[str, Callable[[Proposal], Proposal]] = {
    "nothing": lambda proposal: (),
    "one more": lambda proposal: (*proposal, proposal[0]),
    "one less": lambda proposal: proposal[1:],
    "no step": lambda proposal: ((), *proposal[1:]),
    "no number": lambda proposal: _first(proposal, token_ids=(1,), logprobs=(nan,)),
    "beyond belief": lambda proposal: _first(proposal, token_ids=(1,), logprobs=(900.0,)),
    "no probability for a token": lambda proposal: _first(proposal, token_ids=(1, 2), logprobs=(-0.5,)),
    "no text": lambda proposal: _first(proposal, text="", token_ids=(), logprobs=()),
    "half a character": lambda proposal: _first(proposal, text="\ud800"),
    "odd": lambda proposal: _first(proposal, text="\0\n\u2028\U0010ffff", token_ids=(0,), logprobs=(-inf,)),
    "no such token": lambda proposal: _first(proposal, token_ids=(2**31,), logprobs=(-0.5,)),
    "oversize": lambda proposal: ((LONG,), *proposal[1:]),
}
"""What may become of a policy's reply."""

VALUES: dict[str, Callable[[Values], Values]] = {
    "nothing": lambda values: (),
    "one more": lambda values: (*values, 0.5),
    "one less": lambda values: values[1:],
    "no number": lambda values: (*values[:-1], nan),
    "endless": lambda values: (inf, *values[1:]),
    "below": lambda values: (-0.01, *values[1:]),
    "oversize": lambda values: values * 1000,
}
"""What may become of a scorer's."""


class DeadError(InputError):
    """The engine is gone, and with it what it had not answered."""


class Faulty:
    """An engine in front of `engine`.

    What becomes of a reply is a hash of its ticket, the same at every start. When it comes is not: a reply may wait for
    another poll, come again, or never.

    Args:
        replies: What may become of one.
        share: Of replies to which something happens.
        moods: When replies come; None brings them all at once.
        lost: Share of replies that never come.

    Attributes:
        asked: What was asked for, in its order.
        befallen: Ticket -> what became of its reply.
        is_dead: Whether it answers with an error alone.
    """

    def __init__(
        self,
        engine: Any,
        replies: dict[str, Callable[[Any], Any]],
        *,
        share: float,
        moods: Random | None = None,
        lost: float = 0.0,
    ) -> None:
        self.fingerprint = str(engine.fingerprint)
        self.asked: list[Ticket] = []
        self.befallen: dict[Ticket, str] = {}
        self.is_dead = False
        self._engine = engine
        self._replies = replies
        self._share = share
        self._moods = moods
        self._lost = lost
        self._ready: list[tuple[Ticket, Any]] = []
        self._given: list[tuple[Ticket, Any]] = []

    @property
    def tokens_generated(self) -> int:
        return int(self._engine.tokens_generated)

    def submit(self, ticket: Ticket, request: Any) -> None:
        self._look()
        self.asked.append(ticket)
        self._engine.submit(ticket, request)

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Any]]:
        self._look()
        self._ready += [(ticket, self._what_becomes_of(ticket, reply)) for ticket, reply in self._engine.poll(1.0)]
        if self._moods is None:
            given, self._ready = self._ready, []
            return given
        self._ready = [one for one in self._ready if self._moods.random() >= self._lost]
        self._moods.shuffle(self._ready)
        count = self._moods.randint(0, len(self._ready))
        given, self._ready = self._ready[:count], self._ready[count:]
        self._given += given
        again = self._moods.sample(self._given, min(len(self._given), self._moods.randint(0, 2)))
        return [*given, *again, (Ticket("nobody's", 0), ())]

    def _look(self) -> None:
        if self.is_dead:
            raise DeadError("the engine died; run the same command again, it goes on where it stopped")

    def _what_becomes_of(self, ticket: Ticket, reply: Any) -> Any:
        chance = seed_of("fate", ticket.tree, ticket.number) % 10_000 / 10_000
        if chance >= self._share:
            return reply
        names = sorted(self._replies)
        self.befallen[ticket] = kind = names[seed_of("kind", ticket.tree, ticket.number) % len(names)]
        return self._replies[kind](reply)
