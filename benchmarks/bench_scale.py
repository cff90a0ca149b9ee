"""What keeps up with how many engines: the real scheduler on modelled engines, and what a controller costs a tree.

    python benchmarks/bench_scale.py [--controller spread] [--tokens 1000] [--workers 16] [--front-end REQUEST TOKEN]
        [--write]

Engines are modelled (`speeds.py`: rates by batch from data sheets; `simulated.py`: continuous batching on a simulated
clock). The scheduler is real; its CPU seconds are measured, and pass on the simulated clock as they do on the wall.
First one scheduler drives more and more engines, then each engine has a worker with a scheduler of its own, and a
controller hands out queries and takes packed trees, measured with real processes that replay trees. One JSON line a
figure; `--write` puts the tables into `docs/scale.md`.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from architectures import QWEN_7B, QWEN_15B, QWEN_72B
from controllers import CONTROLLERS, Replay, cost_s
from front_end import front_end_s
from modelled import ModelledPolicy, ModelledScorer, World
from scale_tables import write
from simulated import Clock
from speeds import H100, Speed

from mcts.budget import Budget
from mcts.journal import Journal
from mcts.scheduler import Scheduler
from mcts.search import RolloutBranching
from mcts.tree import SearchTree
from mcts.types import Problem
from mcts.walk import Query
from regrow.provenance import commit, hardware
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree

SLOTS = 256
TREES = 320
"""At once, for each engine: a quarter more than it has slots, as some wait for the PRM."""
MEASURED = 128
"""Trees of each measurement, after as many as an engine has at once."""
SAID = World(prompt=150, step=30, steps=8)
PRM_SHARE = 0.5
"""GPUs for the PRM, of 1.5 B, for each policy engine: enough that it never waits."""
LIMITS = {"max_depth": 64, "max_tokens": 512}


@dataclass(frozen=True, slots=True)
class Setting:
    """Engines of one kind.

    Attributes:
        name: Of the policy.
        engines: Policy engines, each with `policy.devices` GPUs.
    """

    name: str
    policy: Speed
    engines: int


SPEEDS = {"7 B": Speed(QWEN_7B, H100), "70 B": Speed(QWEN_72B, H100, devices=4)}
BARE = (0.0, 0.0)
"""Without vLLM's front end."""
ROOM = 64
"""Queries that a replaying worker may hold."""
PRM = Speed(QWEN_15B, H100)


def queries(tokens: int) -> Iterator[Query]:
    """Problems without end."""
    question = "q" * (4 * SAID.prompt)
    for n in count():
        yield Query(Problem(str(n), question), RolloutBranching(), Budget(tokens=tokens), seed=n)


def searched(setting: Setting, tokens: int, front_end: tuple[float, float]) -> dict[str, Any]:
    """One scheduler with all engines of a setting: the rate it reaches, and its CPU share.

    Args:
        tokens: Of a tree.
        front_end: CPU seconds of vLLM's front end for a request and for a token.
    """
    clock, engines = Clock(), setting.engines
    policy = ModelledPolicy(clock, SAID, setting.policy, engines, slots=SLOTS, front_end=front_end)
    scorer = ModelledScorer(clock, SAID, PRM, max(1, round(PRM_SHARE * engines)))
    at_once = TREES * engines
    with tempfile.TemporaryFile() as stream:
        scheduler = Scheduler(policy, scorer, trees_at_once=at_once, journal=Journal(stream), **LIMITS)
        trees = scheduler.run(queries(tokens))
        for _ in islice(trees, TREES):
            pass
        start = clock.now_s, clock.python_s, policy.tokens_generated, stream.tell(), scorer.tokens_read
        kept = list(islice(trees, MEASURED))
        end = clock.now_s, clock.python_s, policy.tokens_generated, stream.tell(), scorer.tokens_read
        trees.close()
    seconds, python, generated, journal, read = (after - before for before, after in zip(start, end, strict=True))
    return {
        "policy": setting.name,
        "front end": bool(front_end[1]),
        "engines": engines,
        "gpus": engines * setting.policy.devices,
        "tokens per second": generated / seconds,
        "python share": python / seconds,
        "journal bytes a token": journal / generated,
        "read a token": read / generated,
        "steps a tree": sum(len(tree.parent) for tree in kept) / len(kept),
        "trees": kept,
    }


def stored(trees: list[SearchTree]) -> dict[str, float]:
    """Bytes of a tree packed and as traces, and the CPU seconds of packing, unpacking and storing it."""
    marks = [time.process_time()]
    packed = [pickle.dumps(tree) for tree in trees]
    marks.append(time.process_time())
    unpacked = [pickle.loads(one) for one in packed]
    marks.append(time.process_time())
    with tempfile.TemporaryDirectory() as folder:
        write_trees(Path(folder), (VerifiedTree.labelled(tree, "", {}) for tree in unpacked))
        marks.append(time.process_time())
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    query = len(pickle.dumps(next(queries(1))))
    names = ("packing s", "unpacking s", "storing s")
    spent = {name: (b - a) / len(trees) for name, a, b in zip(names, marks, marks[1:], strict=False)}
    return spent | {
        "packed bytes": sum(map(len, packed)) / len(trees),
        "trace bytes": size / len(trees),
        "query bytes": float(query),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--controller", choices=sorted(CONTROLLERS), default="queue")
    parser.add_argument("--tokens", type=int, default=1_000, help="of a tree")
    parser.add_argument("--workers", type=int, default=16, help="processes that replay trees")
    parser.add_argument("--front-end", type=float, nargs=2, help="microseconds a request, a token; measured without")
    parser.add_argument("--write", action="store_true")
    settings = parser.parse_args()
    front_end = (1e-6 * settings.front_end[0], 1e-6 * settings.front_end[1]) if settings.front_end else front_end_s()
    given = [] if settings.front_end else ["--front-end", *(f"{1e6 * one:.1f}" for one in front_end)]
    command = shlex.join(["python", "benchmarks/bench_scale.py", *(one for one in sys.argv[1:] if one != "--write")])
    about = {"command": shlex.join([command, *given]) if given else command, "commit": commit(), "hardware": hardware()}

    def measured(name: str, engines: int, cost: tuple[float, float]) -> dict[str, Any]:
        row = searched(Setting(name, SPEEDS[name], engines), settings.tokens, cost)
        print(json.dumps(_plain(row)), flush=True)
        return row

    measured("7 B", 1, BARE)  # kernels are compiled
    bare, one = ({name: measured(name, 1, cost) for name in SPEEDS} for cost in (BARE, front_end))
    alone = [bare["7 B"], *(measured("7 B", engines, BARE) for engines in (8, 64))]
    alone += [one["7 B"], measured("7 B", 8, front_end)]
    trees = one["7 B"]["trees"]
    sizes = stored(trees)
    rate = one["7 B"]["tokens per second"] / settings.tokens
    replay = Replay(tuple(trees[:64]), settings.workers, rate, ROOM)
    asked = list(islice(queries(settings.tokens), settings.workers * (2 * ROOM + 200)))
    tree_s, reached = cost_s(CONTROLLERS[settings.controller], asked, replay)
    controller = {"controller": settings.controller, "s a tree": tree_s, "trees per second": reached}
    figures = {
        "front end": front_end,
        "tokens": settings.tokens,
        "one": {name: _plain(row) | {"scheduler share": bare[name]["python share"]} for name, row in one.items()},
        "alone": [_plain(row) for row in alone],
        "stored": sizes,
        "controller": controller,
        "workers": settings.workers,
    }
    print(json.dumps(figures | about))
    if settings.write:
        write(figures, about)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "trees"}


if __name__ == "__main__":
    main()
