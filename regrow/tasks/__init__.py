"""The tasks: problems with exact verification, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from regrow.tasks.arithmetic import Arithmetic
from regrow.tasks.countdown import Countdown
from regrow.tasks.task import Task

TASKS: dict[str, Callable[..., Task]] = {"arithmetic": Arithmetic, "countdown": Countdown}


def make_task(name: str, **options: object) -> Task:
    """The task called `name`; `options` go to its constructor.

    Raises:
        ValueError: There is no such task, or it has no such option, or the option's value is unusable.
    """
    if name not in TASKS:
        raise ValueError(f"task: expected one of {', '.join(sorted(TASKS))}, got {name!r}")
    factory = TASKS[name]
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"task {name}: expected options among {', '.join(known)}, got {option!r}")
    try:
        return factory(**options)
    except TypeError as error:
        raise ValueError(f"task {name}: an option has the wrong type, {options}: {error}") from error
