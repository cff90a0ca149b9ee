"""A scorer without a model: the floor that every PRM has to beat."""

from __future__ import annotations

from mcts.errors import InputError
from mcts.types import Score, Ticket, Values


class ConstantScorer:
    """Gives every prefix the same value. Implements `mcts.ports.StepScorer`.

    Raises:
        ValueError: `value` is outside [0, 1].
    """

    def __init__(self, value: float = 0.5) -> None:
        if not 0.0 <= value <= 1.0:
            raise InputError(f"constant score {value}: expected a value in [0, 1]")
        self._value = value
        self._replies: list[tuple[Ticket, Values]] = []

    @property
    def fingerprint(self) -> str:
        """Digest of everything but the request that decides a reply."""
        return f"constant:{self._value!r}"

    @property
    def tokens_scored(self) -> int:
        """No token is ever read."""
        return 0

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        self._replies.append((ticket, (self._value,) * (len(request.state.steps) + 1)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies. Never waits."""
        replies, self._replies = self._replies, []
        return replies
