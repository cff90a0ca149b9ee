"""The tasks: problems with verification, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

from mcts.errors import InputError
from regrow.tasks.arithmetic import Arithmetic
from regrow.tasks.countdown import Countdown
from regrow.tasks.game24 import Game24
from regrow.tasks.task import EmbeddedTask, Task
from regrow.tasks.word_problems import WordProblems

TASKS: dict[str, Callable[..., Task]] = {
    "arithmetic": Arithmetic,
    "countdown": Countdown,
    "file": partial(WordProblems, "file"),
    "game24": Game24,
    "gsm8k": partial(WordProblems, "gsm8k"),
    "math": partial(WordProblems, "math"),
}


def make_task(name: str, **options: object) -> Task:
    """The task called `name`; `options` go to its constructor.

    Raises:
        ValueError: There is no such task, or it has no such option, or the option's value is unusable.
    """
    if name not in TASKS:
        raise ValueError(f"task: expected one of {', '.join(sorted(TASKS))}, got {name!r}")
    factory = TASKS[name]
    known = options_of(name)
    for option in options:
        if option not in known:
            raise ValueError(f"task {name}: expected options among {', '.join(known)}, got {option!r}")
    try:
        return factory(**options)
    except TypeError as error:
        raise ValueError(f"task {name}: {error}, expected options of other types than {options}") from error


def options_of(name: str) -> tuple[str, ...]:
    """The options that a task takes; none where there is no such task."""
    return tuple(inspect.signature(TASKS[name]).parameters) if name in TASKS else ()


def embedded(task: Task) -> EmbeddedTask:
    """The task as one that teaches its own base policy. Raises `InputError` if it is none."""
    if not isinstance(task, EmbeddedTask):
        raise InputError(
            f"task={task.name}: has no policy or PRM of its own, expected policy.path=DIR and prm.path=DIR"
        )
    return task
