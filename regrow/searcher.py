"""A searcher: searches that are asked for at any time, by any thread, share one scheduler and one set of engines."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, wait
from itertools import count
from math import inf
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Self

from mcts.panel import NOBODY, Panel
from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Scheduler
from mcts.tree import SearchTree
from mcts.walk import Query, Walk

if TYPE_CHECKING:
    from regrow.config import SchedulerConfig

PATIENCE_S = 0.01
"""How long engines elsewhere are waited for before a look at what was submitted meanwhile."""


class ClosedError(Exception):
    """The searcher was closed before the search was done."""


class Searcher:
    """Many searches sharing one scheduler and one set of engines, in a thread of its own.

    A tree depends on nothing but its own query, whatever is searched beside it. Engines are met by this one thread
    only; it sleeps while there is nothing to do. What is kept grows with the searches under way, not with those done.
    There is no journal.

    Args:
        scorer: None searches without values.
        panel: Who else may be asked.
        checker: The task's checker, where searches may see verdicts.
        limits: Trees beyond `trees_at_once` wait for their turn.
    """

    def __init__(
        self,
        policy: Policy,
        scorer: StepScorer | None,
        *,
        panel: Panel = NOBODY,
        checker: Checker | None = None,
        limits: SchedulerConfig,
    ) -> None:
        self._scheduler = Scheduler(
            policy,
            scorer,
            panel=panel,
            checker=checker,
            max_depth=limits.max_depth,
            max_tokens=limits.max_tokens,
            trees_at_once=limits.trees_at_once,
            silence_s=limits.silence_s,
        )
        self._room = limits.trees_at_once
        self._numbers = count()
        self._submitted: deque[Pending] = deque()
        self._under_way: dict[str, Pending] = {}
        self._ended: BaseException | None = None
        self._news = Event()  # something was submitted, or the end has come
        self._lock = Lock()  # of the trees: held while they grow, not while engines compute
        self._thread = Thread(target=self._search, name="searcher", daemon=True)
        self._thread.start()

    def submit(self, query: Query) -> Pending:
        """Search `query`, soon. From any thread; returns at once. The same problem may be under way more than once."""
        pending = Pending(self, query, f"{query.search.name}/{query.problem.id}#{next(self._numbers)}")
        self._submitted.append(pending)
        self._news.set()
        if self._ended is not None:
            self._end(self._ended)
        return pending

    def close(self) -> None:
        """End the thread, once its engines have answered; searches that are not done fail with a `ClosedError`."""
        self._end(ClosedError("the searcher was closed"))
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _search(self) -> None:
        try:
            while True:
                self._sleep()
                with self._lock:
                    if self._ended is not None:
                        return
                    self._admit()
                    for pending in [one for one in self._under_way.values() if one.is_late]:
                        self._finish(pending)
                    for walk in self._scheduler.advance():
                        self._finish(self._under_way[walk.name])
                self._scheduler.poll(PATIENCE_S)
        except BaseException as error:  # noqa: BLE001 - it is raised again where results are waited for
            self._end(error)

    def _sleep(self) -> None:
        """Wait until there is something to do."""
        if not self._submitted and not self._scheduler.is_busy:
            self._news.wait()
        self._news.clear()

    def _admit(self) -> None:
        """Plant what was submitted, while there is room."""
        while self._submitted and len(self._under_way) < self._room:
            pending = self._submitted.popleft()
            if not pending.future.done():
                pending.walk = self._scheduler.plant(pending.query, pending.name)
                self._under_way[pending.name] = pending

    def _end(self, error: BaseException) -> None:
        """Let all that is not done fail, and whatever is submitted from now on. The first error counts."""
        with self._lock:
            self._ended = self._ended or error
            failing = list(self._under_way.values())
            self._under_way.clear()
            while self._submitted:
                failing.append(self._submitted.popleft())
            for pending in failing:
                if not pending.future.done():
                    pending.future.set_exception(self._ended)
        self._news.set()

    # --- for those who wait, with the lock --------------------------------------------------------------------------

    def _finish(self, pending: Pending) -> None:
        """Give a tree out as it stands: it has finished, or nothing more is wanted of it."""
        walk = pending.walk or self._scheduler.plant(pending.query, pending.name)
        self._under_way.pop(pending.name, None)
        pending.walk = None
        pending.future.set_result(self._scheduler.harvest(walk))


class Pending:
    """A search that was asked for: a tree by and by, and what it has come to until then.

    A budget's `seconds` count from `submit` on, and hold while engines are slow: then the tree is given out as it
    stands, be it the bare problem.
    """

    def __init__(self, searcher: Searcher, query: Query, name: str) -> None:
        self.query, self.name = query, name
        self.walk: Walk | None = None
        self.future: Future[SearchTree] = Future()
        self._searcher = searcher
        seconds = query.budget.seconds
        self._deadline = inf if seconds is None else time.monotonic() + seconds

    @property
    def is_late(self) -> bool:
        """Whether its seconds are spent."""
        return time.monotonic() >= self._deadline

    @property
    def done(self) -> bool:
        """Whether `result` returns, or raises, at once."""
        if self.is_late:
            self.cancel()
        return self.future.done()

    def result(self, timeout_s: float | None = None) -> SearchTree:
        """Wait for the tree. One that an engine's reply could not be used for has a `failure`.

        Raises:
            TimeoutError: It is not done after `timeout_s` seconds.
            ClosedError: The searcher was closed.
            BaseException: An engine's own, which ended the searcher.
        """
        if not self.wait(timeout_s):
            raise TimeoutError(f"{self.name}: not done after {timeout_s} s")
        return self.future.result()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait as `result` does, and say whether it is done."""
        end = inf if timeout_s is None else time.monotonic() + timeout_s
        patience = min(end, self._deadline) - time.monotonic()
        wait([self.future], None if patience == inf else max(0.0, patience))
        return self.done

    def best(self) -> SearchTree | None:
        """The tree as it stands now; None before its turn has come, and where the searcher has ended."""
        with self._searcher._lock:
            if self.future.done():
                return None if self.future.exception() else self.future.result()
            return self._searcher._scheduler.snapshot(self.walk) if self.walk else None

    def cancel(self) -> None:
        """Ask for nothing more; `result` gives the tree as it stands."""
        with self._searcher._lock:
            if not self.future.done():
                self._searcher._finish(self)
