"""Searches as they go: on a terminal how many, how fast and the best answers so far; in a log a line now and then.

All of it on standard error; standard output is for answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mcts.errors import printable
from regrow.answer import Answer
from regrow.answering import Answering
from regrow.progress import Advance, console, track
from regrow.searcher import Pending

NEWEST = 8
"""Questions shown at once: those whose search began last."""


class Lines:
    """Tells a log how far searches are."""

    def __init__(self, answering: Answering, advance: Advance) -> None:
        self._speed, self._advance = Speed(answering), advance

    def __call__(self, answered: int, waiting: Sequence[Pending]) -> None:
        """Say how many are done."""
        self._advance(answered, str(self._speed))

    def hide(self) -> None:
        """There is nothing in the way of answers."""


class Picture:
    """Draws on a terminal how searches stand."""

    def __init__(self, answering: Answering, total: int) -> None:
        self._answering, self._total, self._speed = answering, total, Speed(answering)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __call__(self, answered: int, waiting: Sequence[Pending]) -> None:
        """Draw anew."""
        self._live.start()
        self._live.update(self.drawn(answered, waiting), refresh=True)

    def drawn(self, answered: int, waiting: Sequence[Pending]) -> RenderableType:
        """One line for all, and a row for each of the newest: the question, tokens, the best answer and its score."""
        searched = answered + sum(pending.done for pending in waiting)
        rows = Table.grid(padding=(0, 2), expand=True)
        rows.add_column(ratio=2, no_wrap=True, overflow="ellipsis")
        rows.add_column(justify="right", no_wrap=True)
        rows.add_column(ratio=3, no_wrap=True, overflow="ellipsis", style="green")
        rows.add_column(justify="right", no_wrap=True)
        for answer in self._newest(waiting):
            score = "" if answer.score is None else f"{answer.score:.3f}"
            best = answer.steps[-1] if answer.is_found else ""
            rows.add_row(Text(printable(answer.question)), f"{answer.tokens} tokens", Text(printable(best)), score)
        return Group(Text(f"{searched} of {self._total} searched, {self._speed}", style="bold"), rows)

    def hide(self) -> None:
        """Make room for an answer; the picture comes back when it is drawn next."""
        self._live.stop()

    def _newest(self, waiting: Sequence[Pending]) -> list[Answer]:
        under_way = (pending.best() for pending in reversed(waiting) if not pending.done)
        begun = islice((tree for tree in under_way if tree is not None), NEWEST)
        return [self._answering.answer(tree) for tree in begun][::-1]


class Speed:
    """Generated tokens a second, from the start on."""

    def __init__(self, answering: Answering) -> None:
        self._policy = answering.policy
        self._tokens, self._start = self._policy.tokens_generated, time.monotonic()

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        return f"{(self._policy.tokens_generated - self._tokens) / seconds:.0f} tokens/s"


@contextmanager
def watched(answering: Answering, total: int) -> Iterator[Picture | Lines]:
    """What shows `total` searches."""
    if not console.is_terminal:
        with track("searching", total) as advance:
            yield Lines(answering, advance)
        return
    picture = Picture(answering, total)
    try:
        yield picture
    finally:
        picture.hide()
