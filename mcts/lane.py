"""A lane: an engine, and who waits for its replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
    _waiting: dict[Ticket, Waiting] = field(default_factory=dict)

    @property
    def is_busy(self) -> bool:
        """Whether a reply is still to come."""
        return bool(self._waiting)

    def ask(self, ticket: Ticket, request: Propose | Score, waiting: Waiting) -> None:
        """Hand the engine a request."""
        self._waiting[ticket] = waiting
        self.engine.submit(ticket, request)  # type: ignore[arg-type]  # a policy's lane is asked to propose

    def poll(self, timeout_s: float) -> Iterator[tuple[Ticket, Waiting, Proposal | Values]]:
        """Replies that are there, after `timeout_s` seconds at most, and who waits for them."""
        for ticket, reply in self.engine.poll(timeout_s):
            yield ticket, self._waiting.pop(ticket), reply


def poll(lanes: Iterable[Lane]) -> list[tuple[Ticket, Waiting, Proposal | Values]]:
    """What has arrived in any lane; where nothing has, what the first lane that answers brings.

    Lanes in process compute when they are waited for, so scorers go first: they are quick and fill the policy's batch.
    """
    busy = [lane for lane in lanes if lane.is_busy]
    arrived = [reply for lane in busy for reply in lane.poll(0.0)]
    for lane in busy:
        if arrived:
            break
        arrived.extend(lane.poll(POLL_S if len(busy) == 1 else GLANCE_S))
    return arrived
