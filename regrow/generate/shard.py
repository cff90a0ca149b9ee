"""A shard of a data set: some problems in a row, their trees, and their solutions, in a folder that appears whole."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mcts.errors import InputError
from policy.prompts import PromptFormat
from regrow import atomic, provenance
from regrow.generate.selection import Selection
from regrow.generate.solutions import difficulty_of, rows_of, schema_of, solve_rate
from regrow.tasks.task import GradedProblem, Task
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree

SHARDS, SOLUTIONS, RECORD = "shards", "solutions.parquet", "shard.json"
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Upper ends of the bins, in tokens, in which the lengths of solutions are counted."""


@dataclass(slots=True)
class Shard:
    """Problems that are searched for one folder.

    Attributes:
        problems: By id, in their order.
        trees: What is judged, or about to be, by problem id.
    """

    problems: dict[str, GradedProblem] = field(default_factory=dict)
    trees: dict[str, Future[VerifiedTree]] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether every tree is there and judged."""
        return len(self.trees) == len(self.problems) and all(t.done() for t in self.trees.values())

    @property
    def digest(self) -> str:
        """Stands for the problems."""
        return provenance.digest([dataclasses.asdict(graded) for graded in self.problems.values()])

    def write(self, folder: Path, task: Task, prompt: PromptFormat, selection: Selection, seed: int) -> None:
        """Write traces, solutions and the record of what they are."""
        trees = [self.trees[one].result() for one in self.problems]
        dropped: Counter[str] = Counter()
        rows: list[dict[str, Any]] = []
        for verified, graded in zip(trees, self.problems.values(), strict=True):
            rows += rows_of(verified, graded, selection.of(verified, task, seed, dropped), task, prompt)
        with atomic.directory(folder) as new:
            write_trees(new, trees)
            pq.write_table(pa.Table.from_pylist(rows, schema_of(prompt)), new / SOLUTIONS, compression="zstd")
            atomic.write_json(new / RECORD, {"problems": self.digest, "counts": counts(trees, rows, dropped)})


def counts(trees: list[VerifiedTree], rows: list[dict[str, Any]], dropped: Counter[str]) -> dict[str, dict[str, int]]:
    """What a card is made of; the counts of shards add up."""
    found = [outcome.value for tree in trees for outcome in tree.outcomes.values()]
    rates = [solve_rate(tree) for tree in trees]
    lengths = Counter(next((str(end) for end in LENGTHS if row["tokens"] <= end), "more") for row in rows)
    return {
        "problems": {"searched": len(trees), "solved": sum(rate > 0 for rate in rates)},
        "failures": {"trees": sum(bool(tree.tree.failure) for tree in trees)},
        "difficulty": dict(Counter(map(difficulty_of, rates))),
        "found": dict(Counter(found)),
        "dropped": {name: count for name, count in dropped.items() if count},
        "kept": {"solutions": len(rows), "problems": len({row["problem_id"] for row in rows})},
        "lengths": dict(lengths),
        "spent": {
            name: sum(getattr(tree.tree.spent, name) for tree in trees)
            for name in ("tokens_generated", "tokens_scored", "policy_calls", "scorer_calls")
        },
    }


def folder_of(run: Path, number: int) -> Path:
    """Where a shard lies."""
    return run / SHARDS / f"{number:05d}"


def record_of(folder: Path) -> Mapping[str, Any] | None:
    """The record of a finished shard; None where there is none yet. Raises `InputError` if it is broken."""
    if not folder.exists():
        return None
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / RECORD}: cannot be read, expected a shard's record; delete the folder") from error
    return record


def added(totals: dict[str, Counter[str]], record: Mapping[str, Any]) -> None:
    """Add a shard's counts to those of the others."""
    for name, of_one in record["counts"].items():
        totals.setdefault(name, Counter()).update(of_one)
