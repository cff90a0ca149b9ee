"""How far it goes: a million problems in a row, a million tokens of answers to one, a tree of ten million nodes.

    python benchmarks/bench_limits.py [--problems 1000000] [--tokens 1000000] [--nodes 10000000]

Fakes answer at once, so seconds and memory are those of scheduler, forest and kernels alone. Each limit is met in a
process of its own, whose peak of resident memory is told above what it held once everything was imported and compiled.
The large tree grows at random; the path that a step touched is checked after every step, and the whole forest at every
doubling of its size. A JSON line a limit; exit code 1 where a check failed.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import Any

from mcts.budget import Budget
from mcts.forest import Forest, Tree
from mcts.kernels import Fault
from mcts.perform import perform
from mcts.requests import BackupMean, Credit, Expand, Grow, SelectPrefix, SelectUct
from mcts.scheduler import Scheduler
from mcts.search import BestOfN
from mcts.tree import NO_NODE
from mcts.types import Problem, Propose, Score, Step, StepEnd, Ticket
from mcts.walk import Query
from regrow.provenance import commit, hardware

MIB = 1 << 20
WIDTH = 8
STEPS = tuple(
    Step(f"s{i}", (i, 10), (-1.0, -0.5), StepEnd.FINAL if i % 7 == 0 else StepEnd.DELIMITER) for i in range(64)
)


class Instant:
    """Answers with what `reply` makes of a request."""

    fingerprint = "instant"
    tokens_generated = 0

    def __init__(self, reply: Callable[[Any], Any]) -> None:
        self._reply = reply
        self._ready: list[tuple[Ticket, Any]] = []

    def submit(self, ticket: Ticket, request: Any) -> None:
        """Answer."""
        self._ready.append((ticket, self._reply(request)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Any]]:
        """Hand over."""
        ready, self._ready = self._ready, []
        return ready


def engines(tokens: int) -> tuple[Instant, Instant]:
    """A policy whose solutions are a step of so many tokens, no two alike; a scorer that does not care."""
    told = (-0.1,) * tokens

    def propose(asked: Propose) -> Any:
        first = asked.seed % 100_000
        return tuple(
            (Step(f"{asked.seed} {i}", tuple(range(first + i, first + i + tokens)), told, StepEnd.FINAL),)
            for i in range(asked.width)
        )

    def score(asked: Score) -> Any:
        return (0.5,) * (len(asked.state.steps) + 1)

    return Instant(propose), Instant(score)


def many_problems(count: int) -> dict[str, Any]:
    """A stream of problems, one draw each, 256 of them at once."""
    queries = (Query(Problem(f"p{i}", f"question {i}"), BestOfN(), Budget(simulations=1), i) for i in range(count))
    start = time.perf_counter()
    trees = sum(1 for _ in Scheduler(*engines(8), trees_at_once=256).run(queries))
    return {"problems": trees, "seconds": time.perf_counter() - start, "is_sound": trees == count}


def many_tokens(count: int) -> dict[str, Any]:
    """One problem with so many tokens of answers, a thousand a draw."""
    query = Query(Problem("p", "question"), BestOfN(WIDTH), Budget(tokens=count), 0)
    start = time.perf_counter()
    (tree,) = Scheduler(*engines(1000)).run([query])
    spent = tree.spent.tokens_generated
    return {
        "tokens": spent,
        "nodes": len(tree.parent),
        "seconds": time.perf_counter() - start,
        "is_sound": spent >= count,
    }


def many_nodes(count: int) -> dict[str, Any]:
    """One tree that grows at random until it has so many nodes."""
    forest, rng = Forest(max_depth=10_000), Random(0)
    tree = forest.plant(Problem("p", "question"), 0)
    start, steps, faults, whole = time.perf_counter(), 0, 0, [1]
    while len(tree.nodes) < count:
        leaf = grown(forest, tree, rng)
        faults += sum(1 for _ in faults_on_the_way(forest, leaf))
        steps += 1
        if len(tree.nodes) >= 2 * whole[-1]:
            faults += forest.fault(tree)[1] is not Fault.NONE
            whole.append(len(tree.nodes))
    seconds = time.perf_counter() - start
    faults += forest.fault(tree)[1] is not Fault.NONE
    return {
        "nodes": len(tree.nodes),
        "steps": steps,
        "checks_of_the_whole": len(whole),
        "faults": faults,
        "seconds": seconds,
        "is_sound": not faults,
    }


def grown(forest: Forest, tree: Tree, rng: Random) -> int:
    """Select a node, by one rule or the other, draw there, back up; the last node that was reached."""
    rule = SelectUct(0.5, 2.0, 0.9) if rng.random() < 0.5 else SelectPrefix(3.0, 0.5, 0.25, 4)
    (node,) = perform(forest, [(tree, rule)])
    if node == NO_NODE or rng.random() < 0.5:
        node = next((one for one in (rng.choice(tree.nodes) for _ in range(99)) if forest.is_open(one)), tree.root)
    drawn = tuple(tuple(rng.choice(STEPS) for _ in range(rng.randint(1, 4))) for _ in range(WIDTH))
    (leaves,) = perform(forest, [(tree, Grow(node, drawn))])
    perform(forest, [(tree, Expand(node))])
    for leaf in leaves:
        forest.assign(leaf, (rng.random(),))
    perform(forest, [(tree, BackupMean(leaves[0], rng.random())), (tree, Credit(leaves[-1], node, rng.random()))])
    return int(rng.choice(leaves))


def faults_on_the_way(forest: Forest, node: int) -> Iterator[str]:
    """What is wrong between a node and the root: read by plain Python, apart from the kernels."""
    while (parent := forest.parent(node)) != NO_NODE:
        below, above = forest.nodes[node], forest.nodes[parent]
        if below["depth"] != above["depth"] + 1:
            yield "depth"
        if forest.ledger[node]["ordinal"] <= forest.ledger[parent]["ordinal"]:
            yield "order"
        if not 0 <= below["value_sum"] <= max(1, below["visits"]):
            yield "value"
        if above["first_child"] == NO_NODE or forest.ledger[parent]["children"] < 1:
            yield "chain"
        node = parent
    if forest.nodes[node]["depth"] or forest.ledger[node]["ordinal"]:
        yield "root"


LIMITS = {"problems": many_problems, "tokens": many_tokens, "nodes": many_nodes}


def measured(name: str, count: int) -> dict[str, Any]:
    """A limit, met after a small one of its kind, which compiles and warms up."""
    LIMITS[name](1000)
    before = peak()
    found = LIMITS[name](count)
    return {"limit": name, **found, "seconds": round(found["seconds"], 1), "MiB": round((peak() - before) / MIB)}


def peak() -> int:
    """The most resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("problems", 10**6), ("tokens", 10**6), ("nodes", 10**7)):
        parser.add_argument(f"--{name}", type=int, default=count)
    is_sound = True
    for name, count in vars(parser.parse_args()).items():
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            found = alone.submit(measured, name, count).result()
        is_sound &= found["is_sound"]
        print(json.dumps(found), flush=True)
    print(json.dumps({"commit": commit(), "hardware": hardware()}))
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
