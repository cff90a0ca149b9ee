"""Searches under way on one scheduler, for a caller that comes back for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mcts.scheduler import Scheduler
from mcts.tree import SearchTree
from mcts.walk import Query


class Searches:
    """Queries come at any time; each tree is given out once.

    Args:
        room: Trees in flight; further queries wait for their turn.
    """

    def __init__(self, scheduler: Scheduler, room: int) -> None:
        self._scheduler = scheduler
        self._room = room
        self._waiting: deque[Query] = deque()
        self._under_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def add(self, query: Query) -> None:
        """Search `query`, in its turn. No other that is not given out yet may be of the same name."""
        self._waiting.append(query)

    def advance(self) -> Iterator[SearchTree]:
        """One pass: the trees that have finished, or else a look at the engines."""
        while self._waiting and len(self._under_way) < self._room:
            query = self._waiting.popleft()
            self._under_way.add(name_of(query))
            self._scheduler.plant(query, name_of(query))
        is_waiting = True
        for walk in self._scheduler.advance():
            is_waiting = False
            self._under_way.remove(walk.name)
            yield self._scheduler.harvest(walk)
        if is_waiting:
            self._scheduler.poll()


def name_of(query: Query) -> str:
    """What a tree is called in journals."""
    return f"{query.search.name}/{query.problem.id}"
