"""Is the engine as full under a search as under plain batch sampling?

    python benchmarks/bench_throughput.py policy.path=DIR prm.path=DIR [policy=vllm] [prm=vllm] [KEY=VALUE ...]
        [--trees 16 64 256] [--strategies rollout_branching "puct in_flight=8"] [--refill 2] [--rounds 3] [--write]

A search runs, with `--refill` problems for every tree at once, and its requests are kept. Then the same engines are
given the same requests with nobody in between, all draws at once, then all scores at once: `raw` is the sum of the
seconds. `raw, as wide` has no more draws in flight than the search had: what is lost by the width of the search and not
by its scheduler. `in step` is the search with replies held back until every tree has its own: what asynchrony buys. All
are interleaved, round by round; figures are medians.
One JSON line a shape; `--write` puts them into `docs/performance.md`. Works unchanged on a GPU.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench_kernels import PAGE
from page_marks import fill, table

import mcts.scheduler
from mcts.errors import InputError
from mcts.lane import POLL_S
from mcts.scheduler import Scheduler
from mcts.types import Ticket
from mcts.walk import Query
from regrow.build import budget_of, check_choices, policy_of, scorer_of, strategy_of, task_of
from regrow.compose import NO_OUTPUT, run_composed, search_nodes
from regrow.config import Config
from regrow.provenance import commit, hardware
from regrow.strategy import Strategy
from regrow.tasks.task import GradedProblem, Split

STRATEGIES = [
    "rollout_branching",
    "rollout_branching width=8 name=eight_wide",
    "puct in_flight=8 name=puct_8_in_flight",
]
Engine = Any
"""A policy or a scorer."""


@dataclass
class Watched:
    """An engine with a clock: what it was asked, the seconds spent inside it, and the most requests in flight."""

    engine: Engine
    in_step: bool = False
    seconds: float = 0.0
    asked: list[Any] = field(default_factory=list)
    in_flight: int = 0
    widest: int = 0
    _held: list[Any] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Of the engine."""
        return str(self.engine.fingerprint)

    def submit(self, ticket: Ticket, request: Any) -> None:
        """Hand the request on."""
        self.asked.append(request)
        self.in_flight += 1
        self.widest = max(self.widest, self.in_flight)
        start = time.perf_counter()
        self.engine.submit(ticket, request)
        self.seconds += time.perf_counter() - start

    def poll(self, timeout_s: float) -> list[Any]:
        """Take replies; `in_step`, only when nothing is in flight any more."""
        start = time.perf_counter()
        replies = self.engine.poll(timeout_s)
        self.seconds += time.perf_counter() - start
        self._held += replies
        if self.in_step and len(self._held) < self.in_flight:
            return []
        replies, self._held = self._held, []
        self.in_flight -= len(replies)
        return replies


def search(
    config: Config, queries: Sequence[Query], trees: int, policy: Watched, scorer: Watched
) -> tuple[float, float]:
    """Seconds of a search of so many trees at once, and those of them that went into tree work."""
    inside = 0.0
    perform = mcts.scheduler.perform

    def timed(*arguments: Any) -> Any:
        nonlocal inside
        start = time.perf_counter()
        answers = perform(*arguments)
        inside += time.perf_counter() - start
        return answers

    mcts.scheduler.perform = timed
    try:
        limits = config.scheduler
        scheduler = Scheduler(
            policy, scorer, max_depth=limits.max_depth, max_tokens=limits.max_tokens, trees_at_once=trees
        )
        start = time.perf_counter()
        for _ in scheduler.run(queries):
            pass
        return time.perf_counter() - start, inside
    finally:
        mcts.scheduler.perform = perform


def raw(engine: Engine, requests: Sequence[Any], width: int | None = None) -> float:
    """Seconds of an engine for these requests, `width` of them in flight, or all."""
    start, left, waiting = time.perf_counter(), list(enumerate(requests))[::-1], 0
    while left or waiting:
        while left and (width is None or waiting < width):
            number, request = left.pop()
            engine.submit(Ticket("raw", number), request)
            waiting += 1
        waiting -= len(engine.poll(POLL_S))
    return time.perf_counter() - start


class Shape:
    """One strategy with one number of trees: seconds of every part, round by round."""

    def __init__(self, config: Config, strategy: Strategy, problems: Sequence[GradedProblem], trees: int) -> None:
        budget = budget_of(config.budget, "budget")
        self.config, self.trees, self.strategy = config, trees, strategy.name
        self.queries = [strategy.query(one.problem, budget, 0, "throughput") for one in problems]
        self.seconds: dict[str, list[float]] = {}
        self.tokens = 0
        self.cached: float | None = None

    def run(self, policy: Engine, scorer: Engine) -> None:
        """A round."""
        drawn, scored = Watched(policy), Watched(scorer)
        before, prompts, cached = policy.tokens_generated, *cache_of(policy)
        seconds, tree = search(self.config, self.queries, self.trees, drawn, scored)
        self.tokens = policy.tokens_generated - before
        prompts, cached = cache_of(policy)[0] - prompts, cache_of(policy)[1] - cached
        self.cached = cached / prompts if prompts else None
        generation, scoring = raw(policy, drawn.asked), raw(scorer, scored.asked)
        in_step = [Watched(engine, in_step=True) for engine in (policy, scorer)]
        seconds_in_step, _ = search(self.config, self.queries, self.trees, *in_step)
        for name, value in {
            "search": seconds,
            "raw": generation + scoring,
            "raw, as wide": raw(policy, drawn.asked, drawn.widest) + scoring,
            "in step": seconds_in_step,
            "raw scoring": scoring,
            "policy": drawn.seconds,
            "scorer": scored.seconds,
            "tree": tree,
            "python": seconds - tree - scored.seconds - drawn.seconds,
        }.items():
            self.seconds.setdefault(name, []).append(value)

    def figures(self) -> dict[str, Any]:
        """Medians over rounds."""
        seconds = {name: median(values) for name, values in self.seconds.items()}
        ratios = {
            f"search / {name}": median(a / b for a, b in zip(self.seconds["search"], self.seconds[name], strict=True))
            for name in ("raw", "raw, as wide", "in step")
        }
        shares = {f"{name} share": seconds[name] / seconds["search"] for name in ("policy", "scorer", "tree", "python")}
        return {
            "strategy": self.strategy,
            "trees": self.trees,
            "tokens": self.tokens,
            "tokens per second": round(self.tokens / seconds["search"]),
            **{name: round(value, 3) for name, value in (ratios | shares).items()},
            "cached share": "-" if self.cached is None else round(self.cached, 3),
            **{f"{name} s": round(seconds[name], 2) for name in ("search", "raw", "raw, as wide", "in step")},
        }


def cache_of(policy: Engine) -> tuple[int, int]:
    """Tokens of all prompts so far, and those of them that a prefix cache held; none without such a cache."""
    engine = getattr(policy, "engine", None)
    return (engine.prompt_tokens, engine.cached_tokens) if engine else (0, 0)


def measure(config: Config, settings: argparse.Namespace) -> list[Shape]:
    """Every shape, interleaved; the first round, in which kernels are compiled, is left out."""
    if config.policy.path is None or config.prm.path is None:
        raise InputError("bench_throughput: expected policy.path=DIR and prm.path=DIR, the models of a run")
    check_choices(config)
    task = task_of(config)
    problems = task.problems(Split.TEST, settings.refill * max(settings.trees), seed=0)
    strategies = [strategy_of(node, config, task) for node in search_nodes(settings.strategies)]
    policy, scorer = policy_of(config, Path(config.policy.path)), scorer_of(config, Path(config.prm.path))
    Shape(config, strategies[0], problems[: min(settings.trees)], min(settings.trees)).run(policy, scorer)
    shapes = [
        Shape(config, strategy, problems[: settings.refill * trees], trees)
        for strategy in strategies
        for trees in settings.trees
    ]
    for _ in range(settings.rounds):
        for shape in shapes:
            shape.run(policy, scorer)
    return shapes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--refill", type=int, default=2, help="problems for every tree in flight")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    settings, overrides = parser.parse_known_args()
    command = shlex.join(
        ["python", "benchmarks/bench_throughput.py", *(one for one in sys.argv[1:] if one != "--write")]
    )

    def job(config: Config) -> None:
        engines = f"{config.policy.engine}, {config.prm.engine}"
        figures = [shape.figures() for shape in measure(config, settings)]
        about = {"engines": engines, "command": command, "commit": commit(), "hardware": hardware()}
        for one in figures:
            print(json.dumps(one | about))
        if settings.write:
            write(engines, figures, about)

    run_composed("evaluate", [*NO_OUTPUT, *overrides], job)


def write(engines: str, figures: Sequence[dict[str, Any]], about: dict[str, Any]) -> None:
    """Put the figures of these engines into the page."""
    heads = ("strategy", "trees", "tokens per second", "search / raw", "search / raw, as wide", "search / in step")
    shares = ("policy share", "scorer share", "tree share", "python share", "cached share")
    rows = [[str(one[head]) for head in heads + shares] for one in figures]
    facts = f"Commit {about['commit']}; {about['hardware']['cpu']}; `{about['command']} --write`."
    fill(PAGE, {f"throughput {engines}": table(heads + shares, rows), f"throughput {engines} facts": facts})


if __name__ == "__main__":
    main()
