"""Progress on standard error: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 15.0

console = Console(stderr=True, highlight=False, markup=False)


class Advance(Protocol):
    """Told how far the work has come."""

    def __call__(self, done: int, note: str = "", total: int | None = None) -> None:
        """Report `done` of the total (told here if it was not known before), with a short note such as a loss."""


@contextmanager
def track(what: str, total: int | None = None) -> Iterator[Advance]:
    """Show `what` advancing to `total`; None where the work itself will tell."""
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total, note="")
            yield lambda done, note="", total=None: bar.update(task, completed=done, note=note, total=total)
    else:
        yield _Lines(what, total)


class _Lines:
    """One line every `LINE_EVERY_S` seconds, and one at the end."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, note: str = "", total: int | None = None) -> None:
        self._total = total or self._total
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S or done == self._total:
            self._last = now
            console.print(f"{self._what}: {done}/{self._total} in {now - self._start:.0f} s {note}".rstrip())
