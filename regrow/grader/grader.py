"""The grader: what is plain is decided at once, the rest in processes that can be killed."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import cache, lru_cache, partial
from typing import Any

from pebble import ProcessPool

from mcts.types import Outcome
from regrow.grader import worker
from regrow.grader.answers import is_readable
from regrow.grader.compare import plainly, same
from regrow.grader.shape import read_shape

_MAX_WORKERS = 8
_MAX_TASKS = 1000
"""Answers after which a worker is replaced: sympy's caches grow, and importing it takes some 2 s."""
_TRIES = 3
"""A pool breaks when a worker dies between two answers; whose fault it was cannot be told then."""
_MEMO = 1 << 14


def decide(gold: str, answer: str | None) -> Outcome | None:
    """Grade without computer algebra; None where it takes some. UNPARSED: no answer, or an empty or unreadable one."""
    if answer is None or not is_readable(answer):
        return Outcome.UNPARSED
    found = read_shape(answer)
    if not found.normal:
        return Outcome.UNPARSED
    verdict = same(read_shape(gold), found, plainly)
    return None if verdict is None else Outcome.CORRECT if verdict else Outcome.WRONG


class Grader:
    """Grades answers; may be called from several threads at once.

    Workers are spawned when first needed (a script that grades needs `if __name__ == "__main__":`), end with this
    process however it ends, and are replaced when an answer exhausts time or memory: it is TIMEOUT then.
    Equal pairs are graded once; so a pair that ran into a limit is not tried again.

    Args:
        workers: Processes; None takes one a core, eight at most.
        timeout_s: Seconds an answer may take, from when a worker begins with it.
        memory_gib: Address space an answer may take, beyond what a worker's imports have taken.
    """

    def __init__(self, workers: int | None = None, timeout_s: float = 5.0, memory_gib: float = 2.0) -> None:
        self.workers = workers or min(_MAX_WORKERS, os.cpu_count() or 1)
        self.timeout_s = timeout_s
        self.memory_gib = memory_gib
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._open: set[Future[Outcome]] = set()
        self._graded = lru_cache(maxsize=_MEMO)(self._grade)

    def grade(self, gold: str, answer: str | None) -> Outcome:
        """Judge an answer and wait for it. No answer raises."""
        return self.submit(gold, answer).result()

    def submit(self, gold: str, answer: str | None) -> Future[Outcome]:
        """Judge an answer without waiting. Equal pairs share a future, which cannot be cancelled."""
        return self._graded(gold, answer)

    def close(self) -> None:
        """End the workers; what is under way is cancelled. A later call begins anew."""
        with self._lock:
            pool, self._pool = self._pool, None
            under_way, self._open = self._open, set()
        self._graded.cache_clear()
        for future in under_way:
            future.set_exception(CancelledError())
        if pool is not None:
            _end(pool)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _grade(self, gold: str, answer: str | None) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        outcome = decide(gold, answer)
        if outcome is not None or answer is None:
            future.set_result(outcome or Outcome.UNPARSED)
            return future
        with self._lock:
            self._open.add(future)
        self._ask(gold, answer, future, _TRIES)
        return future

    def _ask(self, gold: str, answer: str, future: Future[Outcome], tries: int) -> None:
        pool = self._running_pool()
        settle = partial(self._settle, gold, answer, future, tries, pool)
        try:
            task = pool.schedule(worker.judge, args=(gold, answer, self.timeout_s), timeout=self.timeout_s)
        except RuntimeError:  # it broke, or was closed, since it was looked at
            broken: Future[Outcome] = Future()
            broken.set_exception(BrokenProcessPool())
            settle(broken)
        else:
            task.add_done_callback(settle)

    def _settle(
        self, gold: str, answer: str, future: Future[Outcome], tries: int, pool: ProcessPool, task: Future[Any]
    ) -> None:
        """Pass a worker's outcome on. Whatever ended the worker, time, memory or a crash, is TIMEOUT."""
        error = CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, BrokenProcessPool):
            self._discard(pool)
            if tries > 1 and future in self._open:
                self._ask(gold, answer, future, tries - 1)
                return
        with self._lock:
            if future not in self._open:
                return
            self._open.remove(future)
        future.set_result(task.result() if error is None else Outcome.TIMEOUT)

    def _running_pool(self) -> ProcessPool:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPool(
                    self.workers,
                    max_tasks=_MAX_TASKS,
                    initializer=worker.prepare,
                    initargs=(os.getpid(), self.memory_gib),
                    context=multiprocessing.get_context("spawn"),
                )
            return self._pool

    def _discard(self, pool: ProcessPool) -> None:
        """Give a broken pool up. Its own threads call this, so another one waits for them."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
        threading.Thread(target=_end, args=(pool,), daemon=True).start()


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]  # pebble types most of itself
    pool.join()


@cache
def shared_grader() -> Grader:
    """The grader of this process, closed when it ends. A forked child has one of its own."""
    grader = Grader()
    atexit.register(grader.close)
    return grader


os.register_at_fork(after_in_child=shared_grader.cache_clear)
