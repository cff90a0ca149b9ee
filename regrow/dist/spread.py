"""Spreading: items are handed to workers a few at a time, and taken back done, each exactly once.

A worker asks for more by answering, so a quick one gets more than a slow one. It has two calls under way, so that it
never waits for the controller. What a worker held that is gone goes back to the front of the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from operator import length_hint
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from mcts.errors import InputError, first_line
from regrow.dist.fleet import Fleet
from regrow.dist.seats import Seat
from regrow.dist.worker import Report, Worker, advance, begin
from regrow.lazy import Lazy
from regrow.progress import console

I = TypeVar("I")  # noqa: E741 - an item
CALLS = 2
"""Calls that a worker has under way."""


class Work(Protocol[I]):
    """What is spread: how workers begin, and what they are handed.

    Attributes:
        room: Items that a worker may hold.
    """

    room: int

    def worker(self, number: int) -> Lazy[Worker]:
        """The worker of this number, which no other of this start has, to be made in its own process."""

    def key(self, item: I) -> str:
        """What an item is called in reports."""

    def order(self, item: I) -> Any:
        """What a worker is handed of it."""

    def bury(self, number: int, items: list[I]) -> None:
        """A worker is gone, and what it held is going to be handed to others."""


@dataclass(eq=False, slots=True)
class _Hand(Generic[I]):
    """A worker, as seen from here.

    Attributes:
        held: What it was handed and has not reported.
        calls: How many are under way.
    """

    number: int
    place: int
    seat: Seat
    held: dict[str, I] = field(default_factory=dict)
    calls: int = 0
    has_begun: bool = False


class Spread(Generic[I]):
    """Has a fleet do `items`."""

    def __init__(self, fleet: Fleet, work: Work[I], items: Iterable[I]) -> None:
        self._fleet = fleet
        self._work = work
        self._items = iter(items)
        self._returned: deque[I] = deque()
        self._hands: list[_Hand[I]] = []
        self._hired = 0
        self._answered: SimpleQueue[tuple[_Hand[I], Future[Report]]] = SimpleQueue()

    def run(self) -> Iterator[Report]:
        """Yield what workers report; an item is done in one report of all.

        Raises:
            InputError: No worker is left, or none could begin; or what a worker raises. The fleet is ended then.
        """
        try:
            for place, seat in self._fleet.seats.items():
                self._hire(place, seat)
            while self._hand_out():
                if (report := self._next()) is not None:
                    yield report
        except BaseException:
            self._fleet.close()
            raise

    def _hire(self, place: int, seat: Seat) -> None:
        hand: _Hand[I] = _Hand(self._hired, place, seat)
        self._hired += 1
        self._hands.append(hand)
        self._await(hand, seat.call(begin, self._work.worker(hand.number)))

    def _await(self, hand: _Hand[I], call: Future[Report]) -> None:
        call.add_done_callback(lambda call: self._answered.put((hand, call)))

    # --- handing out ------------------------------------------------------------------------------------------------

    def _hand_out(self) -> bool:
        """Keep every worker busy that has begun. Returns whether there is anything to wait for."""
        for hand in self._hands:
            while hand.has_begun and hand.calls < CALLS:
                items = self._taken(self._work.room - len(hand.held))
                if not items and not hand.held:
                    break
                hand.held |= {self._work.key(item): item for item in items}
                hand.calls += 1
                self._await(hand, hand.seat.call(advance, [self._work.order(item) for item in items]))
        if any(hand.calls for hand in self._hands):
            return True
        first = self._taken(1)
        self._returned.extend(first)
        return bool(first)

    def _taken(self, room: int) -> list[I]:
        """The next items: a part of what is left, so that all workers have some to the end."""
        left = len(self._returned) + length_hint(self._items, self._work.room * CALLS * len(self._hands))
        count = min(room, max(1, -(-left // (CALLS * len(self._hands)))))  # a hint may be of nothing, wrongly
        taken = [self._returned.popleft() for _ in range(min(count, len(self._returned)))]
        return taken + list(islice(self._items, max(0, count - len(taken))))

    # --- taking back ------------------------------------------------------------------------------------------------

    def _next(self) -> Report | None:
        """Wait until a worker answers. Returns what it reports; None where it has begun, or is gone."""
        try:
            hand, call = self._answered.get(timeout=self._patience_s())
        except Empty:
            raise InputError(
                f"dist={self._fleet.dist.kind}: no worker has begun after {self._fleet.dist.patience_s:.0f} s, "
                "expected room for one with its dist.gpus, dist.cpus and dist.resources"
            ) from None
        if hand not in self._hands:
            return None
        try:
            report = call.result()
        except hand.seat.lost as error:
            self._bury(hand, error)
            return None
        if not hand.has_begun:
            hand.has_begun = True
            return None
        hand.calls -= 1
        for key in report.done:
            del hand.held[key]
        return report

    def _patience_s(self) -> float | None:
        return None if any(hand.has_begun for hand in self._hands) else self._fleet.dist.patience_s

    def _bury(self, hand: _Hand[I], error: BaseException) -> None:
        """A worker is gone: what it held is handed to others, and to one in its place if there may be one."""
        self._hands.remove(hand)
        items = list(hand.held.values())
        self._work.bury(hand.number, items)
        self._returned.extendleft(reversed(items))
        seat = self._fleet.replace(hand.place)
        told = f"worker {hand.place} died ({first_line(error)})"
        if seat is not None:
            self._hire(hand.place, seat)
        elif not self._hands:
            raise InputError(f"dist={self._fleet.dist.kind}: {told}, no worker is left, expected dist.restarts to do")
        console.print(f"{told}: what it held, {len(items)}, is done by others{' and another' if seat else ''}")
