"""Whether rows of a trace store are trees: a file may say anything, and what walks a tree trusts its columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mcts.errors import InputError
from mcts.tree import NO_NODE
from mcts.types import Outcome, StepEnd

_MAY_LACK = {"text", "token_ids", "logprobs", "end", "outcome", "answer"}
"""Columns of nodes that may have nulls."""

_OF_STEPS = ("text", "token_ids", "logprobs", "end")
"""Null at the root, and nowhere else."""

_WORDS = {"end": tuple(StepEnd), "outcome": tuple(Outcome)}


def check_problems(path: Path, problems: pa.Table) -> None:
    """Hold the rows of trees against what a row must be. Raises `InputError` naming `path`, column and row."""
    for name in problems.column_names:
        _expect(path, name, ~problems.column(name).is_null().to_numpy(), "a value")
    sizes = problems.column("nodes").to_numpy()
    _expect(path, "nodes", sizes >= 1, "at least 1")
    answers = problems.column("answer_node").to_numpy()
    _expect(path, "answer_node", (answers >= NO_NODE) & (answers < sizes), f"a node of the tree, or {NO_NODE}")


def check_nodes(path: Path, nodes: pa.Table, sizes: np.ndarray) -> None:
    """Likewise the rows of nodes; `sizes` are the numbers of nodes of the trees that they make up."""
    for name in nodes.column_names:
        if name not in _MAY_LACK:
            _expect(path, name, ~nodes.column(name).is_null().to_numpy(), "a value")
    number = np.arange(nodes.num_rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_root = number == 0
    parents = nodes.column("parent").to_numpy()
    rises = np.where(is_root, parents == NO_NODE, (parents >= 0) & (parents < number))
    _expect(path, "parent", rises, f"a node before it, {NO_NODE} for the first of a tree")
    for name in _OF_STEPS:
        _expect(path, name, nodes.column(name).is_null().to_numpy() == is_root, "a value at every node but the root")
    for name, known in _WORDS.items():
        words = nodes.column(name)
        right = pc.or_(words.is_null(), pc.is_in(words, pa.array(known))).to_numpy()
        _expect(path, name, right, f"one of {', '.join(known)}")


def _expect(path: Path, column: str, right: np.ndarray, expected: str) -> None:
    if not right.all():
        raise InputError(f"{path}: column {column!r} of row {int(np.argmin(right))} in its group, expected {expected}")
