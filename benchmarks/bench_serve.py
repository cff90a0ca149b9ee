"""What does `regrow serve` lose against `regrow search`, does it keep its deadlines, and does its memory grow?

    python benchmarks/bench_serve.py policy.path=DIR prm.path=DIR [KEY=VALUE ...]
        [--at-once 200] [--requests 600] [--rounds 3] [--deadline 5] [--minutes 20] [--write]

Both answer the same problems, turn by turn in one process, with as many of them under way at once: `regrow search` as
its door does, the server over HTTP on loopback, asked by a process of its own. Then every one of `--at-once` requests
that would never end has `--deadline` seconds. Then the server is kept as busy for `--minutes`; its resident memory is
read every ten seconds. One JSON line for each; `--write` puts them into `docs/serve.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from resource import getpagesize
from statistics import fmean, median
from typing import Any

import httpx
from page_marks import fill, table

from mcts.types import Problem
from regrow.answering import Answering, problem_of
from regrow.build import fields_of, task_of
from regrow.compose import NO_OUTPUT, run_composed
from regrow.config import Config, settings_of
from regrow.provenance import commit, hardware
from regrow.serve.door import served, service_of
from regrow.serve.settings import ServeSettings
from regrow.tasks.task import Split

PAGE = Path(__file__).parents[1] / "docs/serve.md"
MODEL = "bench"
LOOK_S = 10.0
MIB = 1 << 20


def ask_all(url: str, bodies: Sequence[dict[str, Any]], at_once: int, seconds: float | None) -> list[float]:
    """Seconds of each request, `at_once` of them open; each body once, or over and over for `seconds`.

    Run in a process of its own, so that clients and server do not share a lock.

    Raises:
        httpx.HTTPStatusError: A request was refused.
    """
    end = None if seconds is None else time.monotonic() + seconds
    waiting = iter(bodies) if end is None else cycle(bodies)
    took: list[float] = []

    async def client(start: asyncio.Barrier) -> None:
        # A pool of one connection each: httpx goes through all connections of a pool for every request.
        async with httpx.AsyncClient(verify=False, timeout=600) as connection:
            await connection.get(f"{url}/health")
            await start.wait()
            for body in waiting:
                if end is not None and time.monotonic() >= end:
                    return
                begun = time.perf_counter()
                (await connection.post(f"{url}/v1/completions", json=body)).raise_for_status()
                took.append(time.perf_counter() - begun)

    async def clients() -> None:
        start = asyncio.Barrier(at_once)
        await asyncio.gather(*(client(start) for _ in range(at_once)))

    asyncio.run(clients())
    return took


def throughput(
    answering: Answering, problems: Sequence[Problem], url: str, clients: ProcessPoolExecutor, settings: Any
) -> dict[str, Any]:
    """Problems a second of both, and their ratio: medians over the rounds. The first round, a warm-up, is left out."""
    bodies = [{"model": MODEL, "prompt": problem.question} for problem in problems]
    direct, over_http = [], []
    for _ in range(settings.rounds + 1):
        start = time.perf_counter()
        assert sum(1 for _ in answering.answers(problems, deque())) == len(problems)
        middle = time.perf_counter()
        assert len(clients.submit(ask_all, url, bodies, settings.at_once, None).result()) == len(problems)
        direct.append(len(problems) / (middle - start))
        over_http.append(len(problems) / (time.perf_counter() - middle))
    ratio = median(here / there for here, there in zip(over_http[1:], direct[1:], strict=True))
    return {
        "what": "throughput",
        "regrow search, per second": round(median(direct[1:]), 2),
        "regrow serve, per second": round(median(over_http[1:]), 2),
        "ratio": round(ratio, 3),
    }


def deadlines(
    problems: Sequence[Problem], url: str, clients: ProcessPoolExecutor, settings: Any, most_tokens: int
) -> dict[str, Any]:
    """How late requests are that would go on much longer, all at once."""
    wanted = {"tokens": most_tokens, "seconds": settings.deadline, "strategy": "weighted_vote"}
    bodies = [{"model": MODEL, "prompt": one.question, "regrow": wanted} for one in problems[: settings.at_once]]
    shares = [took / settings.deadline for took in clients.submit(ask_all, url, bodies, len(bodies), None).result()]
    return {
        "what": "deadlines",
        "deadline s": settings.deadline,
        "median share": round(median(shares), 3),
        "longest share": round(max(shares), 3),
        "within 10 %": round(fmean(share <= 1.1 for share in shares), 3),
    }


def memory(problems: Sequence[Problem], url: str, clients: ProcessPoolExecutor, settings: Any) -> dict[str, Any]:
    """Resident memory under load, in MiB every ten seconds, and its growth from the second quarter to the last."""
    bodies = [{"model": MODEL, "prompt": problem.question} for problem in problems]
    load: Future[list[float]] = clients.submit(ask_all, url, bodies, settings.at_once, 60.0 * settings.minutes)
    resident = [_resident_mib()]
    while not load.done():
        time.sleep(min(LOOK_S, 6.0 * settings.minutes))
        resident.append(_resident_mib())
    quarter = max(1, len(resident) // 4)
    early, late = fmean(resident[quarter : 2 * quarter] or resident), fmean(resident[-quarter:])
    return {
        "what": "memory",
        "minutes": settings.minutes,
        "answered": len(load.result()),
        "second quarter MiB": round(early, 1),
        "last quarter MiB": round(late, 1),
        "growth": round(late / early - 1, 4),
        "MiB": [round(one) for one in resident],
    }


def _resident_mib() -> float:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / MIB


def measure(config: Config, settings: Any, clients: ProcessPoolExecutor) -> Iterator[dict[str, Any]]:
    """All three figures."""
    task = task_of(config)
    questions = [graded.problem.question for graded in task.problems(Split.TEST, settings.requests, seed=0)]
    problems = [problem_of(task, question) for question in questions]
    limits = settings_of(ServeSettings, fields_of(config.serve), "serve")
    with Answering(config, task) as answering, served(service_of(config, limits)) as url:
        yield throughput(answering, problems, url, clients, settings)
        yield deadlines(problems, url, clients, settings, limits.max_tokens)
        yield memory(problems, url, clients, settings)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deadline", type=float, default=5.0)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--write", action="store_true")
    settings, overrides = parser.parse_known_args()
    command = shlex.join(["python", "benchmarks/bench_serve.py", *(one for one in sys.argv[1:] if one != "--write")])
    fixed = [f"serve.model={MODEL}", f"scheduler.trees_at_once={settings.at_once}", "serve.max_tokens=1000000"]

    def job(config: Config) -> None:
        # Started anew, not forked: the engines' threads are no part of it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as clients:
            figures = []
            for figure in measure(config, settings, clients):
                figures.append(figure)
                print(json.dumps(figure | {"command": command, "commit": commit(), "hardware": hardware()}), flush=True)
        if settings.write:
            write(figures, command)

    run_composed("serve", [*NO_OUTPUT, *fixed, *overrides], job)


def write(figures: Sequence[dict[str, Any]], command: str) -> None:
    """Put the figures into the page."""
    rows = [[str(figure["what"]), name, str(value)] for figure in figures for name, value in figure.items()]
    told = [row for row in rows if row[1] not in ("what", "MiB")]
    facts = f"Commit {commit()}; {hardware()['cpu']}; `{command} --write`."
    fill(PAGE, {"serve": table(("", "figure", "value"), told), "serve facts": facts})


if __name__ == "__main__":
    main()
