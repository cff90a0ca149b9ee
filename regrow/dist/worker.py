"""What happens in a worker's process: it is set up once, and then called again and again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Protocol

from policy.devices import VISIBLE
from regrow.lazy import Lazy

BEAT_S = 0.25
"""Least time between two reports of a worker that has more to do: it bounds the calls that a controller makes."""

THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker has to say.

    Attributes:
        done: Key of an item -> what came out of it.
        trees: Trees that have finished since the last report.
        solved: Those with a solution that their checker accepted.
        tokens: Generated for these trees, in this start or an earlier one.
        counted: Generated since the last report, by the policy's own count, or given from journals.
        policy: The policy's fingerprint.
    """

    done: dict[str, Any] = field(default_factory=dict)
    trees: int = 0
    solved: int = 0
    tokens: int = 0
    counted: int = 0
    policy: str = ""


class Worker(Protocol):
    """Does items that it is handed."""

    def advance(self, orders: Sequence[Any]) -> Report:
        """Take `orders`, work until something is done and `BEAT_S` have passed, or nothing is left, and report."""


_here: list[Worker] = []


def begin(worker: Lazy[Worker]) -> Report:
    """Load engines, in place of those that were there."""
    _here.clear()
    _here.append(worker())
    return Report()


def leave() -> None:
    """Let go of the engines."""
    _here.clear()


def advance(orders: Sequence[Any]) -> Report:
    """Have the worker of this process advance."""
    return _here[0].advance(orders)


def settle(folder: str, devices: str | None, threads: int) -> None:
    """Make a fresh process of this machine a worker's. It ends when its controller does, however that goes.

    Args:
        folder: Where relative paths begin.
        devices: Those that it may use; None leaves them as they are.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the controller is told, too, and decides
    os.environ |= dict.fromkeys(THREADS, str(threads)) | ({} if devices is None else {VISIBLE: devices})
    os.chdir(folder)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
