"""What a controller costs: the queries and trees of 64 modelled engines of 20,000 tokens a second pass through it.

A few processes stand for all engines, each for several: as many calls a second, trees and bytes arrive as from 64
workers, so the controller's processor time is that of a whole cluster. Prints one JSON line.

    python benchmarks/bench_dist.py [--kind ray] [--engines 64] [--tokens-per-s 20000] [--seconds 10]
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from mcts.budget import Budget
from mcts.search import RolloutBranching
from mcts.tree import SearchTree
from mcts.types import Problem, Spent, Step
from mcts.walk import Query
from regrow.dist.fleet import Fleet
from regrow.dist.settings import Dist
from regrow.dist.spread import Spread
from regrow.dist.worker import BEAT_S, Report, Worker
from regrow.lazy import Lazy
from regrow.searches import name_of

NODES, TOKENS_A_STEP = 60, 17
TOKENS = (NODES - 1) * TOKENS_A_STEP
PROCESSES = 4


def tree() -> SearchTree:
    """A tree of about 1,000 tokens, as a model of a large vocabulary makes it."""
    rng = random.Random(0)

    def step() -> Step:
        ids = tuple(rng.randrange(150_000) for _ in range(TOKENS_A_STEP))
        return Step("so many words and a number, 123456, in a step of a solution", ids, tuple(map(float, ids)))

    steps = (None, *(step() for _ in range(NODES - 1)))
    kinds = (np.int32, np.int32, np.float64, np.float32, np.float32, np.uint16)
    return SearchTree(Problem("p", "q" * 200), "s", 1, Spent(TOKENS), 0, steps, *(np.zeros(NODES, of) for of in kinds))


class Modelled:
    """Stands for `engines` workers: answers as often, with as many trees."""

    def __init__(self, engines: int, trees_per_s: float) -> None:
        self._pause_s = BEAT_S / engines
        self._each = trees_per_s * BEAT_S
        self._due = 0.0
        self._held: list[str] = []
        self._packed = pickle.dumps(tree())
        self._next = time.monotonic()

    def advance(self, orders: Sequence[tuple[Query, list[bytes]]]) -> Report:
        """Sleep for as long as an engine takes to finish some trees."""
        self._held += [name_of(query) for query, _ in orders]
        self._next += self._pause_s
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._due += self._each
        done, self._held = self._held[: int(self._due)], self._held[int(self._due) :]
        self._due -= len(done)
        return Report(dict.fromkeys(done, self._packed), len(done), 0, TOKENS * len(done), TOKENS * len(done), "p")


@dataclass(frozen=True)
class Modelling:
    """Work of modelled engines. Implements `regrow.dist.spread.Work`."""

    room: int
    engines: int
    trees_per_s: float

    def worker(self, number: int) -> Lazy[Worker]:
        """A process that stands for some engines."""
        return Lazy(Modelled, self.engines, self.trees_per_s)

    def key(self, item: Query) -> str:
        """The tree's name."""
        return name_of(item)

    def order(self, item: Query) -> tuple[Query, list[bytes]]:
        """The query; nothing is known of its tree."""
        return item, []

    def bury(self, number: int, items: Sequence[Query]) -> None:
        """Never called."""
        raise AssertionError("nobody dies here")


def main() -> None:
    """Spread queries without end over modelled engines for a while."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="local")
    parser.add_argument("--engines", type=int, default=64)
    parser.add_argument("--tokens-per-s", type=float, default=20_000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    search, budget = RolloutBranching(), Budget(tokens=1000)
    queries = (Query(Problem(f"p{i}", f"{i} " + "how many? " * 20), search, budget, i) for i in count())
    each = given.engines // PROCESSES
    work = Modelling(1024, each, given.tokens_per_s / TOKENS)
    fleet = Fleet(Dist(given.kind, workers=PROCESSES))
    calls = trees = 0
    packed: list[bytes] = []
    start = cpu = 0.0
    for report in Spread(fleet, work, queries).run():
        if not start:
            start, cpu = time.monotonic(), time.process_time()
            continue
        calls, trees = calls + 1, trees + report.trees
        packed = list(report.done.values()) or packed
        if time.monotonic() - start > given.seconds:
            break
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    unpacking = time.process_time()
    for one in packed * 100:
        pickle.loads(one)
    unpacking = (time.process_time() - unpacking) / (100 * len(packed))
    figures = {
        "kind": given.kind,
        "tokens_per_s": round(trees * TOKENS / wall),
        "calls_per_s": round(calls / wall),
        "tree_bytes": len(packed[0]),
        "controller_cpu_share": round(cpu / wall, 3),
        "cpu_us_per_tree": round(1e6 * cpu / trees),
        "unpacking_us_per_tree": round(1e6 * unpacking),
    }
    print(json.dumps(figures))
    fleet.close()


if __name__ == "__main__":
    main()
