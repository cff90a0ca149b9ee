"""Which devices an engine may use: a variable that CUDA reads when a process first asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mcts.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def named(devices: Sequence[int], where: str) -> str:
    """The variable's value for some devices, counted from 0 among those that this process may use.

    Raises:
        InputError: There are not so many; `where` is the setting that asks for them.
    """
    if (ours := os.environ.get(VISIBLE)) is None:
        return ",".join(map(str, devices))
    names = [name for name in ours.split(",") if name]
    if max(devices) >= len(names):
        raise InputError(f"{where}: asks for device {max(devices)}, expected less than {len(names)} ({VISIBLE}={ours})")
    return ",".join(names[one] for one in devices)


@contextmanager
def visible(devices: Sequence[int], where: str) -> Iterator[None]:
    """Let processes that are started inside see these devices alone; all that we see where none are named.

    Raises:
        InputError: As `named` does.
    """
    if not devices:
        yield
        return
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = named(devices, where)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before
