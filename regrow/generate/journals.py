"""A journal for every shard that is under way: what is finished leaves no journal, however long the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mcts.journal import Journal
from mcts.types import Proposal, Propose, Score, Ticket, Values
from regrow import atomic

FOLDER = "journals"


def path_of(folder: Path, shard: int) -> Path:
    """Where the journal of a data set's shard lies."""
    return folder / FOLDER / f"journal-{shard:05d}.txt"


def set_apart(folder: Path, shard: int) -> None:
    """Put a copy in the place of a shard's journal, if there is one: who wrote it may live on, but not in it."""
    path = path_of(folder, shard)
    if path.exists():
        with atomic.file(path) as copy:
            shutil.copyfile(path, copy)


class Journals:
    """Implements `mcts.journal.Recorder` over one file a shard.

    Args:
        folder: Of the data set.
        shard_of: The shard of a tree under way, by the tree's name.
    """

    def __init__(self, folder: Path, shard_of: Callable[[str], int]) -> None:
        self._folder = folder
        self._shard_of = shard_of
        self._open: dict[int, tuple[Journal, BinaryIO]] = {}

    def recorded(self, ticket: Ticket, digest: str, asked: Propose | Score) -> Proposal | Values | None:
        """The recorded reply; see `mcts.journal.Journal`."""
        return self._of(ticket).recorded(ticket, digest, asked)

    def holds(self, ticket: Ticket) -> bool:
        """Whether there is a record of `ticket`."""
        return self._of(ticket).holds(ticket)

    def is_stop(self, ticket: Ticket) -> bool:
        """Whether the clock stopped a search before `ticket`."""
        return self._of(ticket).is_stop(ticket)

    def append_stop(self, ticket: Ticket) -> None:
        """Record that the clock stopped a search."""
        self._of(ticket).append_stop(ticket)

    def append(self, ticket: Ticket, digest: str, reply: Proposal | Values) -> None:
        """Record a reply."""
        self._of(ticket).append(ticket, digest, reply)

    def flush(self) -> None:
        """Hand what was appended to the operating system."""
        for journal, _ in self._open.values():
            journal.flush()

    def drop(self, shard: int) -> None:
        """A shard is written: its journal goes."""
        if shard in self._open:
            self._open.pop(shard)[1].close()
        path_of(self._folder, shard).unlink(missing_ok=True)

    def _of(self, ticket: Ticket) -> Journal:
        shard = self._shard_of(ticket.tree)
        if shard not in self._open:
            path = path_of(self._folder, shard)
            path.touch()
            stream = path.open("r+b")
            self._open[shard] = Journal(stream), stream
        return self._open[shard][0]
