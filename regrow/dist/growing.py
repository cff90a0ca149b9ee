"""Growing as work that can be spread: queries go to workers, trees come back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from mcts.journal import Journal
from mcts.tree import Flag, SearchTree
from mcts.walk import Query
from regrow.dist.parcel import pack
from regrow.dist.records import JOURNAL_FILE, Records
from regrow.dist.worker import BEAT_S, Report, Worker
from regrow.engines import Engines
from regrow.lazy import Lazy
from regrow.searches import Searches, name_of

if TYPE_CHECKING:
    from regrow.config import SchedulerConfig

Order = tuple[Query, list[bytes]]
"""A query, and what journals tell of its tree."""


class Grower:
    """A worker that grows trees. Implements `regrow.dist.worker.Worker`.

    Trees go back packed, so that the controller need not take them apart while engines wait for it.

    Args:
        folder: Of its journal; nobody else has ever written there.
    """

    def __init__(self, engines: Engines, limits: SchedulerConfig, folder: Path) -> None:
        folder.mkdir()
        path = folder / JOURNAL_FILE
        path.touch()
        self._journal = Journal(path.open("r+b"))
        self._policy = engines.policy()
        self._loaded = self._policy.tokens_generated
        self._counted = 0
        self._searches = Searches(engines.scheduler(limits, self._journal), limits.trees_at_once)

    def advance(self, orders: Sequence[Order]) -> Report:
        """Take queries, search until a tree has finished and `BEAT_S` have passed, or none is left, and report."""
        for query, records in orders:
            self._journal.admit(records)
            self._searches.add(query)
        end = monotonic() + BEAT_S
        trees: list[SearchTree] = []
        while self._searches and not (trees and monotonic() >= end):
            trees += self._searches.advance()
        counted = self._policy.tokens_generated - self._loaded + self._journal.tokens_replayed
        before, self._counted = self._counted, counted
        return Report(
            {f"{tree.strategy}/{tree.problem.id}": pack(tree) for tree in trees},
            len(trees),
            sum(bool((tree.flags & Flag.ACCEPTED).any()) for tree in trees),
            sum(tree.spent.tokens_generated for tree in trees),
            self._counted - before,
            self._policy.fingerprint,
        )


class Growing:
    """Queries as items of a `regrow.dist.spread.Spread`.

    Args:
        scratch: Where each worker has a folder; what lies there of earlier ones is replayed.
    """

    def __init__(self, engines: Engines, limits: SchedulerConfig, scratch: Path) -> None:
        self.room = limits.trees_at_once + -(-limits.trees_at_once // 8)
        self._engines = engines
        self._limits = limits
        self._scratch = scratch
        self._first = 1 + max((int(path.name.removeprefix("worker-")) for path in scratch.glob("worker-*")), default=-1)
        self._records = Records.of_workers(scratch)
        if (alone := scratch / JOURNAL_FILE).exists():
            self._records.add(alone, goes_on=True)

    def worker(self, number: int) -> Lazy[Worker]:
        """A grower with a folder of its own."""
        return Lazy(Grower, self._engines, self._limits, self._folder(number))

    def key(self, item: Query) -> str:
        """The tree's name."""
        return name_of(item)

    def order(self, item: Query) -> Order:
        """The query, with what is known of its tree."""
        return item, self._records.of(name_of(item))

    def bury(self, number: int, items: Sequence[Query]) -> None:
        """Read what the worker left, so that only what was in flight is asked again."""
        if (path := self._folder(number) / JOURNAL_FILE).exists():
            self._records.add(path)

    def _folder(self, number: int) -> Path:
        return self._scratch.resolve() / f"worker-{self._first + number:04d}"
