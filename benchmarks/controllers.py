"""What a controller costs a tree: queries go out to workers that replay finished trees, and the trees come back packed.

A controller is a function of queries and a `Replay` that yields packed trees. `queue` is the least there can be: two
queues of the standard library. `spread` is `dist=local`'s own (`regrow.dist`), where there is one.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mcts.tree import SearchTree
from mcts.walk import Query

BEAT_S = 0.25
"""How often a worker reports."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What stands in for workers with engines.

    Attributes:
        trees: Finished ones, given back again and again.
        workers: Processes.
        rate: Trees a second of each.
        room: Queries that a worker may hold.
    """

    trees: tuple[SearchTree, ...]
    workers: int
    rate: float
    room: int


Controller = Callable[[Sequence[Query], Replay], Iterator[bytes]]


class Replayer:
    """A worker: as many trees as its engine would have finished by now, packed."""

    def __init__(self, trees: Sequence[SearchTree], rate: float) -> None:
        self._packed = [pickle.dumps(tree) for tree in trees]
        self._rate = rate
        self._held: list[Query] = []
        self._due_s = time.monotonic()

    def advance(self, orders: Sequence[Query]) -> dict[str, bytes]:
        """Take queries; after a beat, give back what is finished, by the problem's name."""
        self._held += orders
        self._due_s = max(self._due_s, time.monotonic() - BEAT_S)
        count = min(len(self._held), max(1, round(BEAT_S * self._rate)))
        self._due_s += count / self._rate
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        done, self._held = self._held[:count], self._held[count:]
        return {query.problem.id: self._packed[i % len(self._packed)] for i, query in enumerate(done)}


def cost_s(controller: Controller, queries: Sequence[Query], replay: Replay) -> tuple[float, float]:
    """CPU seconds of this process, all its threads, a tree, and trees a second: once every worker has given some."""
    trees = controller(queries, replay)
    for _ in islice(trees, replay.workers * replay.room):
        pass
    start_s, cpu_s = time.perf_counter(), time.process_time()
    count = len(queries) - 2 * replay.workers * replay.room
    for _ in islice(trees, count):
        pass
    figures = (time.process_time() - cpu_s) / count, count / (time.perf_counter() - start_s)
    for _ in trees:
        pass
    return figures


# --- two queues -----------------------------------------------------------------------------------------------------


def queue(queries: Sequence[Query], replay: Replay) -> Iterator[bytes]:
    """A queue of its own to each worker, filled as it reports, and one from all of them."""
    context = multiprocessing.get_context("spawn")
    reports: Any = context.Queue()
    orders = [context.Queue() for _ in range(replay.workers)]
    started = [context.Process(target=_replay, args=(n, orders[n], reports, replay)) for n in range(replay.workers)]
    for process in started:
        process.start()
    waiting, held = iter(queries), [0] * replay.workers

    def hand_out(worker: int) -> None:
        items = list(islice(waiting, replay.room - held[worker]))
        if items or held[worker]:
            held[worker] += len(items)
            orders[worker].put(items)

    for worker in range(replay.workers):
        hand_out(worker)
    while any(held):
        worker, done = reports.get()
        held[worker] -= len(done)
        hand_out(worker)
        yield from done.values()
    for worker, process in enumerate(started):
        orders[worker].put(None)
        process.join()


def _replay(number: int, orders: Any, reports: Any, replay: Replay) -> None:
    replayer = Replayer(replay.trees, replay.rate)
    while (items := orders.get()) is not None:
        reports.put((number, replayer.advance(items)))


# --- dist=local -----------------------------------------------------------------------------------------------------


def spread(queries: Sequence[Query], replay: Replay) -> Iterator[bytes]:
    """`regrow.dist.spread.Spread` over seats of this machine."""
    from regrow.dist.fleet import Fleet
    from regrow.dist.settings import LOCAL, Dist
    from regrow.dist.spread import Spread

    fleet = Fleet(Dist(kind=LOCAL, workers=replay.workers))
    try:
        for report in Spread(fleet, ReplayWork(replay), queries).run():
            yield from report.done.values()
    finally:
        fleet.close()


class SpreadReplayer:
    """Implements `regrow.dist.worker.Worker`."""

    def __init__(self, replay: Replay) -> None:
        self._replayer = Replayer(replay.trees, replay.rate)

    def advance(self, orders: Sequence[Query]) -> Any:
        """Take queries and report what is finished."""
        from regrow.dist.worker import Report

        done = self._replayer.advance(orders)
        return Report(done, trees=len(done))


class ReplayWork:
    """Implements `regrow.dist.spread.Work`: an order is a query, whose key is the problem's name."""

    def __init__(self, replay: Replay) -> None:
        self.room = replay.room
        self._replay = replay

    def worker(self, number: int) -> Any:
        """A replayer."""
        from regrow.lazy import Lazy

        return Lazy(SpreadReplayer, self._replay)

    def key(self, item: Query) -> str:
        """The problem's name."""
        return item.problem.id

    def order(self, item: Query) -> Query:
        """The query."""
        return item

    def bury(self, number: int, items: Sequence[Query]) -> None:
        """Nothing is left behind."""


CONTROLLERS: dict[str, Controller] = {"queue": queue, "spread": spread}
