"""Engines of which a request that they refuse ends its own search alone."""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from typing import Any

from mcts.panel import Panel
from mcts.ports import Policy, StepScorer
from mcts.types import Ticket
from regrow.progress import console


class Tolerant:
    """Implements `mcts.ports.Policy` or `StepScorer`, as its engine does.

    What an engine refuses when it is submitted (a step it has no words for, a solution longer than its window) is
    answered with an empty reply, which ends that tree; what fails in `poll` is the engine's end, and everybody's.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._refused: deque[tuple[Ticket, tuple[()]]] = deque()

    @property
    def fingerprint(self) -> str:
        """The engine's."""
        return str(self._engine.fingerprint)

    @property
    def tokens_generated(self) -> int:
        """The engine's."""
        return int(self._engine.tokens_generated)

    def submit(self, ticket: Ticket, request: Any) -> None:
        """Queue a request, or its refusal."""
        try:
            self._engine.submit(ticket, request)
        except ValueError as error:  # an InputError is one
            console.print(f"serve: {ticket.tree} was given up: {error}")
            self._refused.append((ticket, ()))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Any]]:
        """Take refusals at once, else what the engine has."""
        refused = [self._refused.popleft() for _ in range(len(self._refused))]
        return refused or list(self._engine.poll(timeout_s))


def tolerant_policy(engine: Policy) -> Policy:
    """A policy that outlives what it refuses."""
    return Tolerant(engine)


def tolerant_scorer(engine: StepScorer) -> StepScorer:
    """A scorer that outlives what it refuses."""
    return Tolerant(engine)


def tolerant_panel(panel: Panel) -> Panel:
    """A panel that does."""
    named = ((one.name, getattr(panel, one.name)) for one in fields(panel))
    return Panel(**{name: Tolerant(engine) for name, engine in named if engine is not None})
