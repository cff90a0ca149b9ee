"""How fast the whole search runs when the models cost nothing: scheduler, forest, texts and accounting included.

    python benchmarks/bench_search.py [--trees 256] [--simulations 40] [--rounds 5]

Strategies are interleaved in one process; the figure is the median over rounds. One JSON line a strategy, with commit
and hardware. Nothing is asserted. The first round compiles the kernels and is left out.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, MctsStar, RolloutBranching, Search
from mcts.seeds import seed_of
from mcts.types import Continuation, Problem, Proposal, Propose, Score, Step, StepEnd, Ticket, Until, Values
from mcts.walk import Query
from regrow.provenance import commit, hardware

DEPTH, VOCABULARY = 4, 8


class FreePolicy:
    """Random steps of two tokens; a solution has `DEPTH` steps."""

    fingerprint = "free"
    tokens_generated = 0

    def __init__(self) -> None:
        self._waiting: list[tuple[Ticket, Propose]] = []

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Queue a request."""
        self._waiting.append((ticket, request))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Answer everything."""
        waiting, self._waiting = self._waiting, []
        return [(ticket, tuple(self._draw(request, i) for i in range(request.width))) for ticket, request in waiting]

    def _draw(self, request: Propose, sample: int) -> Continuation:
        depth = len(request.state.steps)
        length = 1 if request.until is Until.STEP else DEPTH - depth
        words = [(request.seed >> (7 * k + 3 * sample)) % VOCABULARY for k in range(length)]
        ends = [StepEnd.FINAL if depth + k + 1 >= DEPTH else StepEnd.DELIMITER for k in range(length)]
        return tuple(Step(str(word), (word, 0), (-1.0, 0.0), end) for word, end in zip(words, ends, strict=True))


class FreeScorer:
    """Values by position."""

    fingerprint = "free"

    def __init__(self) -> None:
        self._waiting: list[tuple[Ticket, Score]] = []

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request."""
        self._waiting.append((ticket, request))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Answer everything."""
        waiting, self._waiting = self._waiting, []
        return [
            (ticket, (0.5, *((step.token_ids[0] + 1) / (VOCABULARY + 1) for step in request.state.steps)))
            for ticket, request in waiting
        ]


def simulations_per_second(search: Search, trees: int, simulations: int) -> float:
    """Run `trees` searches of `simulations` each."""
    queries = [
        Query(Problem(str(i), "q"), search, Budget(simulations=simulations), seed_of("bench", i)) for i in range(trees)
    ]
    start = time.perf_counter()
    for _ in Scheduler(FreePolicy(), FreeScorer(), trees_at_once=trees).run(queries):
        pass
    return trees * simulations / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=256)
    parser.add_argument("--simulations", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    settings = parser.parse_args()
    searches: list[Search] = [BestOfN(), RolloutBranching(), MctsStar()]
    rates: dict[str, list[float]] = {search.name: [] for search in searches}
    for number in range(settings.rounds + 1):
        for search in searches:
            rate = simulations_per_second(search, settings.trees, settings.simulations)
            if number > 0:
                rates[search.name].append(rate)
    for name, measured in rates.items():
        figure = {"strategy": name, "simulations_per_second": round(median(measured)), **vars(settings)}
        print(json.dumps(figure | {"commit": commit(), "hardware": hardware()}))


if __name__ == "__main__":
    main()
