"""The fleet: the seats of a run. They stay between searches, with what their engines have cached."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from regrow.dist.seats import Here, LocalSeat, Seat
from regrow.dist.settings import LOCAL, NONE, Dist


def seat_of(dist: Dist, place: int) -> Seat:
    """A new seat at a place, of those counted from 0."""
    if dist.kind == NONE:
        return Here()
    if dist.kind == LOCAL:
        return LocalSeat(dist, place)
    from regrow.dist.ray_seat import RaySeat

    return RaySeat(dist)


class Fleet:
    """One seat a worker.

    Args:
        make: What makes a seat.
    """

    def __init__(self, dist: Dist, make: Callable[[Dist, int], Seat] = seat_of) -> None:
        self.dist = dist
        self._make = make
        self._restarts = dist.restarts
        self._seats: dict[int, Seat] = {}

    @property
    def seats(self) -> dict[int, Seat]:
        """Place -> the seat there; all are set up where there is none."""
        if not self._seats:
            places = range(1 if self.dist.kind == NONE else self.dist.workers)
            self._seats = {place: self._make(self.dist, place) for place in places}
        return dict(self._seats)

    def replace(self, place: int) -> Seat | None:
        """Another seat for one whose process is gone; None where no more may be replaced."""
        self._seats.pop(place).close()
        if self._restarts == 0:
            return None
        self._restarts -= 1
        self._seats[place] = self._make(self.dist, place)
        return self._seats[place]

    def close(self) -> None:
        """End all processes."""
        while self._seats:
            self._seats.popitem()[1].close()


_running: list[Fleet] = []


def fleet_of(dist: Dist) -> Fleet:
    """The fleet with these settings. One runs at a time."""
    if not _running or _running[0].dist != dist:
        end()
        _running.append(Fleet(dist))
    return _running[0]


@atexit.register
def end() -> None:
    """End the running fleet, and with it its engines."""
    while _running:
        _running.pop().close()
