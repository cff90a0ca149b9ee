"""How fast the kernels search when policy and values are arrays, beside peers in the same process.

    pip install -e '.[bench]'
    pip download --no-deps lightzero==0.2.0   # its compiled tree alone, never its dependencies
    python benchmarks/bench_kernels.py [--rounds 5] [--lightzero lightzero-0.2.0-*.whl] [--write]

T trees of N simulations; one simulation chooses a leaf by PUCT (c = 1.25), gives it b children with priors and values
out of arrays (none at depth 10) and backs up a mean. Rounds are interleaved; figures are medians, ratios are medians of
the rounds' ratios. An unvisited child is worth 0.5, the mean of all values (mctx and LightZero take its parent's). The
arena is used again from round to round, as a forest's is. Time is that of the
thread (mctx: the less of wall clock and process, on one core), of the wall clock where threads or starts are compared.
Nothing is asserted; a peer that is not there is left out. `--write` puts the figures into `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np
from kernel_peers import (
    C_BASE,
    C_INIT,
    DEPTH,
    TABLES,
    Run,
    cpu_clock,
    lightzero_run,
    lightzero_tree,
    mctx_run,
    treequest_run,
)
from page_marks import fill, table

from mcts import kernels
from mcts.tree import NO_NODE
from regrow.provenance import commit, hardware

UNVISITED = 0.5
PAGE = Path(__file__).resolve().parents[1] / "docs/performance.md"


class Regrow:
    """Search with the kernels. `run` returns simulations per second."""

    def __init__(self, trees: int, simulations: int, width: int, threads: int = 1, clock: Run = cpu_clock) -> None:
        rng = np.random.default_rng(0)
        tables = range(min(TABLES, simulations))
        self.trees, self.simulations, self.width, self.threads = trees, simulations, width, threads
        self.priors = [rng.dirichlet(np.ones(width), trees).astype(np.float32) for _ in tables]
        self.values = [rng.random((trees, width), np.float32) for _ in tables]
        self.found = [rng.random(trees, np.float32) for _ in tables]
        self.nodes, self.ledger = kernels.allocate(trees + 1 + trees * simulations * width)
        self.roots, self.seeds = np.arange(trees, dtype=np.int32), np.arange(trees, dtype=np.uint64)
        self.clock = clock

    def plant(self) -> None:
        """Begin anew in the same arena."""
        self.sizes = np.ones(self.trees, np.int32)
        for root in self.roots:
            kernels.append_child(self.nodes, self.ledger, NO_NODE, root, 0, 1.0, 0)

    def run(self) -> float:
        """Grow all trees."""
        numba.set_num_threads(self.threads)
        self.plant()
        leaves = np.empty((self.trees, 1), np.int32)
        chosen, first, tables = leaves[:, 0], self.trees + self.trees % 2, len(self.priors)
        start = self.clock()
        for step in range(self.simulations):
            self.select(leaves)
            row = step % tables
            kernels.expand(
                self.nodes, self.ledger, chosen, first, self.sizes, DEPTH, self.priors[row], self.values[row]
            )
            kernels.backup_mean(self.nodes, chosen, self.found[row])
            first += self.trees * self.width
        return self.trees * self.simulations / (self.clock() - start)

    def select(self, leaves: np.ndarray) -> None:
        """Choose one leaf in every tree."""
        kernels.select_puct(self.nodes, self.ledger, self.roots, self.seeds, C_INIT, C_BASE, UNVISITED, False, leaves)

    def scatter(self) -> None:
        """Move every record elsewhere: siblings stay chained but lie apart, as after many turns of growing by one."""
        old = self.nodes.copy()
        place = np.random.default_rng(1).permutation(len(old)).astype(np.int32)
        for name in ("parent", "first_child", "next_sibling"):
            old[name] = np.where(old[name] == NO_NODE, NO_NODE, place[old[name]])
        self.nodes[place], self.ledger[place] = old, self.ledger.copy()
        self.roots = place[self.roots]

    def revisit(self, steps: int = 64) -> float:
        """Select and back up without growing."""
        leaves = np.empty((self.trees, 1), np.int32)
        start = self.clock()
        for step in range(steps):
            self.select(leaves)
            kernels.backup_mean(self.nodes, leaves[:, 0], self.found[step % len(self.found)])
        return self.trees * steps / (self.clock() - start)


# --- measuring --------------------------------------------------------------------------------------------------------


def interleaved(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Rates by name and round; a first round, which compiles, is left out."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            rate = run()
            if number > 0:
                rates[name].append(rate)
    return rates


def report(row: str, rates: dict[str, list[float]], about: dict[str, Any]) -> list[list[str]]:
    """A line of JSON a figure, and one to read, on stderr; the ratio is the first column's to each.

    Returns:
        The same as rows of a table.
    """
    lines = []
    first = next(iter(rates.values()))
    for name, measured in rates.items():
        ratio = median(a / b for a, b in zip(first, measured, strict=True))
        figure = {"row": row, "name": name, "per_second": round(median(measured), 1), "ratio": round(ratio, 3)}
        print(json.dumps(figure | about), flush=True)
        print(f"{row:34} {name:22} {median(measured):14,.1f} /s  x{ratio:.2f}", file=sys.stderr, flush=True)
        lines.append([row, name, f"{median(measured):,.{0 if median(measured) > 100 else 2}f}", f"{ratio:.2f}"])
    return lines


def beside_peers(lightzero: Any, trees: int, rounds: int) -> dict[str, list[float]]:
    """Regrow and every peer that is there at N = 256, b = 4."""
    shape = trees, 256, 4
    runs: dict[str, Run] = {"regrow": Regrow(*shape).run}
    if lightzero is not None:
        runs["lightzero"] = lightzero_run(lightzero, *shape)
    if importlib.util.find_spec("mctx"):
        runs["mctx"] = mctx_run(*shape)
    if trees == 1 and importlib.util.find_spec("treequest"):
        runs["treequest (N=32)"] = treequest_run(32, 4)
    return interleaved(runs, rounds)


def chained(trees: int, rounds: int) -> dict[str, list[float]]:
    """Walks and backups over scattered siblings and over adjacent ones."""
    both = Regrow(trees, 256, 4), Regrow(trees, 256, 4)
    for forest in both:
        forest.run()
    both[0].scatter()
    return interleaved({"scattered siblings": both[0].revisit, "adjacent siblings": both[1].revisit}, rounds)


WARM = """
import numpy as np
from mcts import kernels as k
nodes, ledger = k.allocate(64)
one, f, i, s = np.zeros(1, np.int32), np.zeros(1, np.float32), np.zeros((1, 1), np.int32), np.zeros(1, np.uint64)
k.append_child(nodes, ledger, -1, 0, 0, 1.0, 0)
k.select_uct(nodes, ledger, one, s, .5, 2., .9, False, i); k.select_puct(nodes, ledger, one, s, .5, 2., .9, False, i)
k.expand(nodes, ledger, one, 2, one.copy() + 1, 4, f[None], f[None]); k.backup_mean(nodes, one, f)
k.backup_child_mean(nodes, one); k.backup_child_max(nodes, one); k.credit(nodes, ledger, one, one, np.zeros(1))
k.close(nodes, one); k.release(nodes, one); k.find_fault(nodes, ledger, one, True); k.best_final(nodes, one)
k.select_prefix(nodes, ledger, one, s, 1., .5, 1, one.copy()); k.branching_index(nodes, ledger, 0, 1., 1.)
b = np.ones(1, np.bool_)
k.infer_labels(one - 1, b, b, one.copy(), f, f.copy()); k.success_rates(one - 1, b, b, one, f)
k.vote_weights(one - 1, one, f, f, one, np.zeros(1))
"""


def seconds(program: str, cache: str) -> float:
    """Wall-clock time of a fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"NUMBA_CACHE_DIR": cache})
    return time.perf_counter() - start


def start_up(rounds: int) -> dict[str, list[float]]:
    """Starts per second: `import numba`, every public kernel once with a warm cache, and with an empty one."""
    with tempfile.TemporaryDirectory() as cache:
        cold = 1 / seconds(WARM, cache)
        runs = {"import numba": "import numba", "all kernels, warm": WARM}
        rates = interleaved({name: lambda p=p: 1 / seconds(p, cache) for name, p in runs.items()}, rounds)
    return rates | {"all kernels, cold": [cold] * rounds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lightzero", type=Path)
    parser.add_argument("--write", action="store_true")
    settings = parser.parse_args()
    command = f"python benchmarks/bench_kernels.py --rounds {settings.rounds}"
    about = {"command": command, "commit": commit(), "hardware": hardware()}
    lines: list[list[str]] = []
    for row, rates in measured(settings.lightzero, settings.rounds):
        lines += report(row, rates, about)
    if settings.write:
        head = ["", "", "per second", "first / this"]
        facts = f"Commit {about['commit']}; {about['hardware']['cpu']}; `{command} --write`."
        fill(PAGE, {"kernels": table(head, lines), "kernels facts": facts})


def measured(wheel: Path | None, rounds: int) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """(row, rates by name): what is compared, one after another; threads and starts on all cores, the rest on one."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    lightzero = None
    try:
        lightzero = lightzero_tree(wheel) if wheel else None
    except (ImportError, ValueError) as error:
        print(f"LightZero left out: {error}", file=sys.stderr)
    for trees in (1, 64, 1024):
        yield f"T={trees} N=256 b=4", beside_peers(lightzero, trees, rounds)
    flat = {"N=4096": Regrow(64, 4096, 4).run, "N=256": Regrow(64, 256, 4).run}
    yield "T=64, flatness", interleaved(flat, rounds)
    for trees in (64, 1024):
        yield f"T={trees}, chained, no growth", chained(trees, rounds)
    os.sched_setaffinity(0, cores)
    for trees in (1, 64, 1024):
        threads = {f"{n} threads": Regrow(trees, 256, 4, n, time.perf_counter).run for n in (2, 1)}
        yield f"T={trees}, threads", interleaved(threads, rounds)
    yield "start-up", start_up(rounds)


if __name__ == "__main__":
    main()
