"""How fast the whole search runs when the models cost nothing: scheduler, forest, texts and accounting included.

    python benchmarks/bench_search.py [--trees 256] [--simulations 40] [--rounds 5] [--write]

Strategies are interleaved in one process; the figure is the median over rounds. One JSON line a strategy, with commit
and hardware; `--write` puts them into `docs/performance.md`. Nothing is asserted. The first round compiles the kernels
and is left out. The last line is PUCT by the kernels alone, at the same trees, simulations and width.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from bench_kernels import PAGE, Regrow, interleaved
from page_marks import fill, table

from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, MctsStar, Puct, RolloutBranching, Search
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
    parser.add_argument("--write", action="store_true")
    settings = parser.parse_args()
    shape = settings.trees, settings.simulations
    runs: dict[str, Callable[[], float]] = {
        search.name: partial(simulations_per_second, search, *shape)
        for search in (BestOfN(), RolloutBranching(), MctsStar(), Puct())
    }
    runs["kernels alone"] = Regrow(*shape, Puct().width, clock=time.perf_counter).run
    rates = {name: round(median(rates)) for name, rates in interleaved(runs, settings.rounds).items()}
    command = f"python benchmarks/bench_search.py --trees {shape[0]} --simulations {shape[1]}"
    about = {"command": command, "commit": commit(), "hardware": hardware()}
    for name, rate in rates.items():
        print(json.dumps({"strategy": name, "simulations_per_second": rate} | about))
    if settings.write:
        rows = [[name, f"{rate:,}", f"{1e6 / rate:.1f}"] for name, rate in rates.items()]
        facts = f"Commit {about['commit']}; {about['hardware']['cpu']}; `{command} --write`."
        fill(PAGE, {"search": table(["", "simulations a second", "µs"], rows), "search facts": facts})


if __name__ == "__main__":
    main()
