"""What a long command would cost: a few problems are done for real, and the rest is reckoned from them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mcts.tree import SearchTree
from mcts.walk import Query
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree

FEW, PILOT = 16, 128
"""Problems done for real: a few, and if these are quick, more, which fill the engines as a whole run does."""

QUICK_S = 10.0

Run = Callable[[list[Query]], Iterable[SearchTree]]
"""Grows trees with the engines of a command."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a command costs.

    Attributes:
        trees: Searches. The other numbers are of all of them.
        disk: Bytes of their traces.
    """

    name: str
    trees: int
    requests: int
    tokens: int
    seconds: float
    disk: int


def reckoned(name: str, trees: int, queries: list[Query], run: Run) -> Part:
    """Reckon `trees` searches from the `queries`, of which some are done for real, after one that warms the engines."""
    list(run(queries[:1]))
    grown, seconds = _timed(run, queries[:FEW])
    if len(queries) > FEW and seconds < QUICK_S:
        grown, seconds = _timed(run, queries)
    with tempfile.TemporaryDirectory() as folder:
        write_trees(Path(folder), (VerifiedTree.labelled(tree, "", {}) for tree in grown))
        disk = sum(path.stat().st_size for path in Path(folder).iterdir())
    spent = [tree.spent for tree in grown]
    factor = trees / len(grown)
    return Part(
        name,
        trees,
        round(factor * sum(one.policy_calls + one.scorer_calls for one in spent)),
        round(factor * sum(one.tokens_generated for one in spent)),
        factor * seconds,
        round(factor * disk),
    )


def _timed(run: Run, queries: list[Query]) -> tuple[list[SearchTree], float]:
    start = time.perf_counter()
    grown = list(run(queries))
    return grown, time.perf_counter() - start


def show(parts: list[Part], untold: list[str]) -> None:
    """Print the parts, their sum, and what could not be reckoned."""
    table = Table(title=f"estimate, from {FEW} to {PILOT} problems done for real")
    for head in ("part", "searches", "requests", "tokens", "seconds", "disk"):
        table.add_column(head, justify="left" if head == "part" else "right")
    total = Part("together", *(sum(column) for column in zip(*map(_numbers, parts), strict=True)))
    for part in (*parts, total):
        trees, requests, tokens, seconds, disk = _numbers(part)
        table.add_row(
            part.name, f"{trees:,}", f"{requests:,}", f"{tokens:,}", f"{seconds:,.0f}", f"{disk / 2**20:,.1f} MiB"
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    for line in untold:
        console.print(line)


def _numbers(part: Part) -> tuple[int, int, int, float, int]:
    return part.trees, part.requests, part.tokens, part.seconds, part.disk
