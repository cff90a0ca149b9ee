"""Seats: where a worker runs, and how it is called. Calls of one seat are answered in their order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from policy.devices import named
from regrow.dist.settings import Dist
from regrow.dist.worker import leave, settle

T = TypeVar("T")


class Seat(Protocol):
    """A process that can be called.

    Attributes:
        lost: What a call raises once the process is gone.
    """

    lost: tuple[type[BaseException], ...]

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a function of a module run there."""

    def close(self) -> None:
        """End the process; what it is doing is lost."""


class Here:
    """This process: a call is answered before it returns."""

    lost: tuple[type[BaseException], ...] = ()

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Run the function. What it raises is raised at once."""
        future: Future[T] = Future()
        future.set_result(function(*arguments))
        return future

    def close(self) -> None:
        """Let go of its engines."""
        leave()


class LocalSeat:
    """A process of this machine, with devices of its own."""

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, dist: Dist, place: int) -> None:
        devices = dist.devices(place)
        names = named(devices, "dist.gpus") if devices else None
        self._pool = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=settle,
            initargs=(str(Path.cwd()), names, dist.cpus),
        )
        self._process = self._pool.submit(os.getpid)
        self._calls: set[Future[Any]] = set()

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a function of a module run there."""
        try:
            future = self._pool.submit(function, *arguments)
        except BrokenProcessPool as error:
            future = Future()
            future.set_exception(error)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future

    def close(self) -> None:
        """End the process: it leaves by itself where it has nothing to do, so that its engines end as they should."""
        if self._calls:
            with suppress(BrokenProcessPool, ProcessLookupError):
                os.kill(self._process.result(), signal.SIGKILL)
        self._pool.shutdown(wait=True, cancel_futures=True)
