"""A process that grades what takes computer algebra: limited, replaced when it hangs, gone when its parent is."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from mcts.types import Outcome
from regrow.grader.compare import same
from regrow.grader.shape import read_shape

_RECURSION = 3000
_GRACE_S = 1.0
_WATCH_S = 1.0


def prepare(parent: int, memory_gib: float) -> None:
    """Import the algebra, then set limits for what comes: the imports take none of the time or memory of an answer."""
    import regrow.grader.symbolic  # noqa: F401

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Python's own handler would wait for a computation to end
    sys.setrecursionlimit(_RECURSION)
    limit = _address_space() + int(memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def judge(gold: str, answer: str, timeout_s: float) -> Outcome:
    """Compare with computer algebra. What the grammar cannot read is UNPARSED, what exhausts memory is TIMEOUT.

    The alarm ends this process where nobody else does: its parent is gone and no Python code gets to run.
    """
    from regrow.grader.symbolic import algebraically

    signal.setitimer(signal.ITIMER_REAL, timeout_s + _GRACE_S)
    try:
        return Outcome.CORRECT if same(read_shape(gold), read_shape(answer), algebraically) else Outcome.WRONG
    except MemoryError:
        return Outcome.TIMEOUT
    except Exception:  # noqa: BLE001  # whatever sympy raises, it is the answer that it could not read
        return Outcome.UNPARSED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _watch(parent: int) -> None:
    """End with the parent, which has no chance to say so when it is killed."""
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 0
