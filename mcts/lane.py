"""A lane: an engine, and who waits for its replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

from mcts.ports import Policy, StepScorer
from mcts.types import Proposal, Propose, Score, Ticket, Values
from mcts.walk import Walk

POLL_S = 1.0
GLANCE_S = 0.002
"""Patience with one engine while another may answer, too."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for a ticket's reply: the walk, and which of its requests.

    Attributes:
        digest: Of the request, for the journal.
    """

    walk: Walk
    index: int
    digest: str


@dataclass(slots=True)
class Lane:
    """Requests on their way through one engine."""

    engine: Policy | StepScorer
    pace_s: float = 0.0
    _waiting: dict[Ticket, Waiting] = field(default_factory=dict)

    @property
    def is_busy(self) -> bool:
        """Whether a reply is still to come."""
        return bool(self._waiting)

    def __len__(self) -> int:
        """Requests in flight."""
        return len(self._waiting)

    def owed(self) -> int:
        """Requests in flight whose tree still waits."""
        return sum(not waiting.walk.is_released for waiting in self._waiting.values())

    def ask(self, ticket: Ticket, request: Propose | Score, waiting: Waiting) -> None:
        """Hand the engine a request."""
        self._waiting[ticket] = waiting
        self.engine.submit(ticket, request)  # type: ignore[arg-type]  # a policy's lane is asked to propose

    def poll(self, timeout_s: float) -> Iterator[tuple[Ticket, Waiting, Proposal | Values]]:
        """Replies that are there, after `timeout_s` seconds at most, and who waits for them.

        What nobody waits for, because it was answered before or never asked, is dropped.
        """
        start = perf_counter()
        replies = self.engine.poll(timeout_s)
        if timeout_s > 0:
            self.pace_s = perf_counter() - start
        for ticket, reply in replies:
            if (waiting := self._waiting.pop(ticket, None)) is not None:
                yield ticket, waiting, reply


def poll(lanes: Iterable[Lane], patience_s: float = POLL_S) -> list[tuple[Ticket, Waiting, Proposal | Values]]:
    """What has arrived in any lane; where nothing has, what the first lane that answers brings, the fullest one first.

    A lane in process computes when it is waited for, better a full batch than a small one. So it fills up while another
    lane is fuller, for as long as its own work lasts at most: waiting never costs more than what it may save.

    Args:
        patience_s: How long engines elsewhere are waited for, once every lane was.
    """
    busy = sorted((lane for lane in lanes if lane.is_busy), key=len, reverse=True)
    if len(busy) == 1:
        return list(busy[0].poll(patience_s))
    filled = perf_counter() + max((lane.pace_s for lane in busy[1:]), default=0.0)
    while True:
        arrived = [reply for lane in busy for reply in lane.poll(0.0)]
        is_filled = perf_counter() >= filled
        for lane in busy if is_filled else busy[:1]:
            arrived = arrived or list(lane.poll(GLANCE_S))
        if arrived or not busy or (is_filled and perf_counter() >= filled + patience_s):
            return arrived
