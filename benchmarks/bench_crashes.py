"""Does a run that is killed, or that its disk fails, end as if nothing had been? Many ends, each held to that.

    python benchmarks/bench_crashes.py [--ends 200] [--serve 20] [--seed 0] [--log FILE]

An end is a run of `regrow train`, `evaluate` or `generate` that was killed at least once (`crashes.Kind` says how:
after so many seconds, before a file operation, within a write), hindered by errors of the file system on the way,
started again after each, and left to end. Then every file of it is held against an undisturbed run, but for times. One
run in ten also fits the models it starts from, in a cache of its own. What an attempt leaves behind is looked at, too:
a journal keeps its records, no ticket is paid for twice, an error is one line. A server is killed with requests open;
started again, it answers as before.

A JSON line an end, and one with the counts; exit code 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, TextIO

import httpx
from crashes import Kind, Server, Whole, broken_promises, complaints, differences, journals

from regrow.provenance import commit, hardware

START = [
    "task.options.numbers=[2,3]",
    "policy.base.size.hidden=32",
    "policy.base.size.layers=2",
    "policy.base.size.intermediate=64",
    "policy.base.demonstrations=2000",
    "policy.base.validation=100",
    "policy.base.train.max_steps=60",
    "policy.base.train.learning_rate=0.01",
    "prm.zero.problems=50",
    "prm.zero.train.max_steps=10",
]
MEASURED = ["evaluate.problems=4", "evaluate.drawn=4", "evaluate.samples=2", "evaluate.budget.tokens=40"]
COMMANDS = {
    "train": [
        "train",
        *START,
        *MEASURED,
        "policy.train.max_steps=6",
        "policy.train.checkpoint_every=2",
        "prm.train.max_steps=6",
        "round.count=1",
        "round.problems=16",
        "round.budget.tokens=60",
        "round.controls=[]",
        "gate.problems=10",
    ],
    "evaluate": ["evaluate", *START, *MEASURED, "strategies=[best_of_n,rollout_branching]", "budgets=[20,40]"],
    "generate": ["generate", *START, "count=40", "problems_per_shard=10", "scheduler.trees_at_once=8"],
}
SHARES = ("train", "generate", "train", "evaluate")
"""Which commands are run, in turn."""

FRESH_EVERY = 10
KILLS = (1, 1, 2)
KINDS = [kind for kind in Kind for _ in range(3 if kind.kills else 1)]
"""Kills are drawn three times as often as each error."""

QUESTIONS = ("2 3 5 -> 10", "4 6 -> 24", "3 7 -> 21", "2 9 4 -> 15")
PATIENCE_S = 120.0


def ended(server: Server, words: list[str], whole: Whole, folder: Path, rng: Random) -> dict[str, Any]:
    """Run until it was killed as often as chance has it, with errors between, then to the end. What happened."""
    kills, deaths, faults, broken = rng.choice(KILLS), 0, [], []
    while deaths < kills:
        fault = whole.fault(rng.choice(KINDS), rng)
        before = journals(folder)
        attempt = server.run(words, folder, fault)
        broken += [*complaints(attempt, fault), *broken_promises(before, journals(folder))]
        deaths += attempt.is_killed
        faults.append(f"{fault}: {attempt.code}")
        if attempt.code == 0:  # it was through before the fault came
            if deaths:
                break
            shutil.rmtree(folder)
    last = server.run(words, folder)
    broken += [f"the last start ended with {last.code}: {last.said[-300:]}"] if last.code else []
    broken += differences(folder, whole.folder)
    return {"kills": deaths, "faults": faults, "broken": broken}


def ends(server: Server, place: Path, count: int, rng: Random) -> Iterator[dict[str, Any]]:
    """So many ends, each of a run of its own."""
    cache = f"cache={place / 'cache'}"
    wholes = {}
    for name, words in COMMANDS.items():
        server.run([*words, cache], place / f"{name}-first")  # fits the models
        wholes[name] = server.whole([*words, cache], place / f"{name}-whole")
    for number, name in enumerate(islice(cycle(SHARES), count)):
        folder, own = place / f"{name}-{number}", place / f"cache-{number}"
        is_fresh = number % FRESH_EVERY == FRESH_EVERY - 1
        words = [*COMMANDS[name], f"cache={own}" if is_fresh else cache]
        yield {"end": number, "command": name, **ended(server, words, wholes[name], folder, rng)}
        shutil.rmtree(folder)
        shutil.rmtree(own, ignore_errors=True)


def answers(url: str) -> list[Any]:
    """What a server says to the questions, all at once; without the number and time of the answer."""

    def ask(question: str) -> Any:
        body = {"model": "crashes", "prompt": question, "max_tokens": 64}
        reply = httpx.post(f"{url}/completions", json=body, timeout=PATIENCE_S).raise_for_status().json()
        return reply["choices"], reply["usage"]

    with ThreadPoolExecutor(len(QUESTIONS)) as clients:
        return list(clients.map(ask, QUESTIONS))


def served(server: Server, place: Path, kills: int, rng: Random) -> Iterator[dict[str, Any]]:
    """A server that is killed with requests open, and started again."""
    words = ["serve", *START, "serve.model=crashes", "serve.port=0", "budget.tokens=200", f"cache={place / 'cache'}"]
    first, took = None, 1.0
    for number in range(kills + 1):
        with server.serving(words) as (url, child):
            start = time.monotonic()
            found = answers(url)
            took = min(took, time.monotonic() - start)
            first = first or found
            with ThreadPoolExecutor(1) as client:
                open_request = client.submit(answers, url)
                time.sleep(rng.uniform(0.0, took))
                child.kill()
                is_cut = open_request.exception() is not None
        yield {"server": number, "is_cut": is_cut, "broken": [] if found == first else ["it answers otherwise"]}


def run(arguments: argparse.Namespace, log: TextIO | None) -> dict[str, Any]:
    """All of it; the counts."""
    start, counts, rng, server = time.monotonic(), Counter[str](), Random(arguments.seed), Server()
    with tempfile.TemporaryDirectory(prefix="regrow-crashes-") as place:
        for told in ends(server, Path(place), arguments.ends, rng):
            counts.update(ends=1, equal=not told["broken"], kills=told["kills"])
            counts.update(fault.partition(" (")[0] for fault in told["faults"])
            tell(told, log)
        for told in served(server, Path(place), arguments.serve, rng):
            counts.update(servers=1, answering_alike=not told["broken"], cut_short=told["is_cut"])
            tell(told, log)
    return {**counts, "seconds": round(time.monotonic() - start), "commit": commit(), "hardware": hardware()}


def tell(told: dict[str, Any], log: TextIO | None) -> None:
    """Print a line, and keep it."""
    for stream in filter(None, (sys.stderr, log)):
        print(json.dumps(told), file=stream, flush=True)


def main() -> int:
    """Crash and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ends", type=int, default=200)
    parser.add_argument("--serve", type=int, default=20, help="kills of a server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=argparse.FileType("w"))
    arguments = parser.parse_args()
    counts = run(arguments, arguments.log)
    print(json.dumps(counts))
    whole = counts.get("equal") == counts.get("ends") and counts.get("answering_alike") == counts.get("servers")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
