"""A simulated clock, and engines on it: what they take for a batch is told by `speeds.Speed`."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from speeds import OVERHEAD_S, Speed

from mcts.types import Ticket

BATCH_TOKENS = 16_384
"""What a PRM's engine reads in a pass."""


class Machine(Protocol):
    """What happens on a clock."""

    def next_s(self) -> float:
        """When something is finished next, if nothing is added; infinity where nothing is under way."""

    def advance(self, now_s: float) -> None:
        """Go on to `now_s`."""


class Door(Protocol):
    """What hands requests to machines."""

    def take_in(self) -> None:
        """Hand on what was asked."""


class Clock:
    """Simulated seconds.

    Attributes:
        now_s: Since the start.
        python_s: CPU seconds that whoever drives the engines took, as measured.
    """

    def __init__(self) -> None:
        self.now_s = self.python_s = 0.0
        self.machines: list[Machine] = []
        self.doors: list[Door] = []
        self._owed_s = 0.0
        self._left = time.thread_time()

    def owe(self, seconds: float) -> None:
        """CPU time of the driver beside what is measured."""
        self._owed_s += seconds

    def wait(self) -> None:
        """The driver waits: its own time since it waited last has passed and, if nothing is finished, more does."""
        spent, self._owed_s = time.thread_time() - self._left + self._owed_s, 0.0
        self.python_s += spent
        for door in self.doors:
            door.take_in()
        self.now_s += spent
        if (first := min(machine.next_s() for machine in self.machines)) < math.inf:
            self.now_s = max(self.now_s, first)
        for machine in self.machines:
            machine.advance(self.now_s)
        self._left = time.thread_time()


class Decoder:
    """An engine that generates: continuous batching with a limited number of sequences.

    Every running sequence gets a token in each pass, from the next that begins; a pass takes as long as `Speed` says.
    Prompts that are not cached are read between passes.
    """

    def __init__(self, speed: Speed, slots: int, finished: Callable[[Ticket], None]) -> None:
        self._speed = speed
        self._slots = slots
        self._finished = finished
        self._running: list[tuple[float, int, Ticket, int]] = []
        self._waiting: deque[tuple[Ticket, int, int, int]] = deque()
        self._passes = self._time_s = self._pass_s = 0.0
        self._context = self._number = 0

    @property
    def load(self) -> int:
        """Sequences here."""
        return len(self._running) + len(self._waiting)

    def add(self, now_s: float, ticket: Ticket, tokens: int, context: int, unread: int) -> None:
        """Queue a sequence of `tokens` tokens behind `context` others, `unread` of which are in no cache."""
        self.advance(now_s)
        self._waiting.append((ticket, tokens, context, unread))
        self._admit()

    def next_s(self) -> float:
        """When the first sequence is finished."""
        return self._time_s + (self._running[0][0] - self._passes) * self._pass_s if self._running else math.inf

    def advance(self, now_s: float) -> None:
        """Go on to `now_s`."""
        while self.next_s() <= now_s:
            self._time_s = self.next_s()
            self._passes, _, ticket, context = heapq.heappop(self._running)
            self._context -= context
            self._finished(ticket)
            self._admit()
        if now_s > self._time_s:
            if self._running:
                self._passes += (now_s - self._time_s) / self._pass_s
            self._time_s = now_s

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._slots:
            ticket, tokens, context, unread = self._waiting.popleft()
            self._time_s += self._speed.reading_s(unread)
            self._number += 1
            mean = context + tokens // 2
            heapq.heappush(self._running, (math.ceil(self._passes) + tokens, self._number, ticket, mean))
            self._context += mean
        if running := len(self._running):
            self._pass_s = self._speed.decoding_s(running, self._context / running)


class Reader:
    """An engine that reads solutions whole, as many in a pass as `BATCH_TOKENS` allow."""

    def __init__(self, speed: Speed, finished: Callable[[Ticket], None]) -> None:
        self._speed = speed
        self._finished = finished
        self._waiting: deque[tuple[Ticket, int]] = deque()
        self._batch: list[Ticket] = []
        self._time_s = 0.0

    @property
    def load(self) -> int:
        """Solutions here."""
        return len(self._waiting) + len(self._batch)

    def add(self, now_s: float, ticket: Ticket, tokens: int) -> None:
        """Queue a solution."""
        self.advance(now_s)
        self._waiting.append((ticket, tokens))
        if not self._batch:
            self._time_s = now_s
            self._begin()

    def next_s(self) -> float:
        """When the pass is over."""
        return self._time_s if self._batch else math.inf

    def advance(self, now_s: float) -> None:
        """Go on to `now_s`."""
        while self._batch and self._time_s <= now_s:
            for ticket in self._batch:
                self._finished(ticket)
            self._begin()

    def _begin(self) -> None:
        tokens, self._batch = 0, []
        while self._waiting and (not self._batch or tokens + self._waiting[0][1] <= BATCH_TOKENS):
            ticket, count = self._waiting.popleft()
            self._batch.append(ticket)
            tokens += count
        if self._batch:
            self._time_s += OVERHEAD_S + self._speed.reading_s(tokens)
