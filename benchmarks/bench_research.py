"""How fast stored trees are searched again, and whether their own setting gives what they were: for `docs/research.md`.

    regrow generate run.dir=runs/pool count=1000 samples_per_problem=100000 generate.budget.tokens=800 policy.path=...
    python benchmarks/bench_research.py runs/pool/shards [--trees 1000] [--settings 1000]

The trees are those of rollout branching with its defaults. One JSON line: the replays of a grid of settings at four
budgets, loading and compiling apart; and of the setting that made the trees, how many come out as they went in: by the
scheduler every column, by the kernel the answer, the tokens, and visits and value_sum of every node.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice, product
from pathlib import Path

import numba
import numpy as np

from mcts.aggregate import Aggregate
from mcts.budget import Budget
from mcts.choice import Choice
from mcts.pools import Pools
from mcts.ports import Checker
from mcts.replay import replay
from mcts.search import RolloutBranching
from mcts.tree import SearchTree
from mcts.walk import Query
from regrow.checker import TaskChecker
from regrow.export.source import stores, verified_trees
from regrow.provenance import commit, hardware
from regrow.research.stored import Stored, stored_trees
from regrow.tasks.countdown import Countdown

BUDGETS = (100, 200, 400, 800)
DEPTH = 16
COLUMNS = ("parent", "visits", "value_sum", "value", "prior", "flags")


def grid(count: int) -> list[tuple[RolloutBranching, Aggregate]]:
    """The first `count` of a thousand settings: the share of the root, the strength and the doubt, ten of each."""
    shares, strengths, doubts = np.linspace(0.05, 0.95, 10), np.geomspace(0.5, 32, 10), np.linspace(0, 1, 10)
    settings = product(shares.tolist(), strengths.tolist(), doubts.tolist())
    return [
        (RolloutBranching(root_share=share, strength=strength, doubt=doubt), Aggregate.LAST)
        for share, strength, doubt in islice(settings, count)
    ]


def same_by_scheduler(group: list[Stored], budget: int, checker: Checker) -> int:
    """Trees whose every column comes out as it went in."""
    trees = [one.pool.tree for one in group]
    queries = [Query(tree.problem, RolloutBranching(), Budget(tokens=budget), tree.seed) for tree in trees]
    again = replay(queries, [one.pool for one in group], checker=checker, scored=True, max_depth=DEPTH)
    return sum(_is_same(tree, one.tree) for tree, one in zip(trees, again, strict=True))


def _is_same(a: SearchTree, b: SearchTree) -> bool:
    columns = all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in COLUMNS)
    return columns and (a.steps, a.answer, a.spent) == (b.steps, b.answer, b.spent)


def same_by_kernel(group: list[Stored], pools: Pools, budget: int) -> int:
    """Trees whose answer, tokens, visits and value_sum come out as they went in."""
    found = pools.replay([(RolloutBranching(), Aggregate.LAST)], (budget,), [Choice.BEST])
    same = 0
    for t, one in enumerate(group):
        tree, ids = one.pool.tree, pools.ids(t)
        same += (
            found.nodes[t, 0, 0, 0] == tree.answer
            and found.tokens[t, 0, 0] == tree.spent.tokens_generated
            and np.array_equal(pools.nodes["visits"][ids], tree.visits)
            and np.array_equal(pools.ledger["evidence"][ids], tree.value_sum)
        )
    return same


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--settings", type=int, default=1_000)
    asked = parser.parse_args()
    checker = TaskChecker(Countdown())
    start = time.perf_counter()
    [group] = stored_trees(islice(verified_trees(stores(asked.traces)), asked.trees), asked.trees)
    each, answers = [one.pool for one in group], [one.answers for one in group]
    pools = Pools(each, answers, checker=checker, scored=True, max_depth=DEPTH)
    loaded = time.perf_counter()
    pools.replay(grid(1), BUDGETS, [Choice.BEST])
    compiled, computed = time.perf_counter(), time.process_time()
    found = pools.replay(grid(asked.settings), BUDGETS, [Choice.BEST])
    seconds, cpu_seconds = time.perf_counter() - compiled, time.process_time() - computed
    replays = len(group) * asked.settings
    covered = [float((found.covered > b).mean()) for b in range(len(BUDGETS))]
    figures = {
        "trees": len(group),
        "nodes": sum(len(one.pool.tree.steps) for one in group),
        "settings": asked.settings,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "threads": numba.get_num_threads(),
        "replays_per_second": round(replays / seconds),
        "load_seconds": round(loaded - start, 1),
        "compile_seconds": round(compiled - loaded, 1),
        "covered": dict(zip(map(str, BUDGETS), (round(share, 3) for share in covered), strict=True)),
        "same_by_scheduler": same_by_scheduler(group, BUDGETS[-1], checker),
        "same_by_kernel": same_by_kernel(group, pools, BUDGETS[-1]),
    }
    options = f"--trees {asked.trees} --settings {asked.settings}"
    about = {
        "command": f"python benchmarks/bench_research.py DIR {options}",
        "commit": commit(),
        "hardware": hardware(),
    }
    print(json.dumps(figures | about))


if __name__ == "__main__":
    main()
