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

_OF_RECORD = ("temperature", "draw_prefix", "draw_end")
"""Of problems: null where a tree has no record, and nowhere else."""

_WORDS = {"end": tuple(StepEnd), "outcome": tuple(Outcome)}


def check_problems(path: Path, problems: pa.Table) -> None:
    """Hold the rows of trees against what a row must be. Raises `InputError` naming `path`, column and row."""
    for name in problems.column_names:
        if name not in _OF_RECORD:
            _expect(path, name, ~problems.column(name).is_null().to_numpy(), "a value")
    sizes = problems.column("nodes").to_numpy()
    _expect(path, "nodes", sizes >= 1, "at least 1")
    answers = problems.column("answer_node").to_numpy()
    _expect(path, "answer_node", (answers >= NO_NODE) & (answers < sizes), f"a node of the tree, or {NO_NODE}")
    if _OF_RECORD[0] in problems.column_names:
        _check_records(path, problems, sizes)


def _check_records(path: Path, problems: pa.Table, sizes: np.ndarray) -> None:
    """Draws go from a node down to one that came after it."""
    temperature, prefix, end = (problems.column(name).combine_chunks() for name in _OF_RECORD)
    for name, column in (("draw_prefix", prefix), ("draw_end", end)):
        alike = column.is_null().to_numpy(False) == temperature.is_null().to_numpy(False)
        _expect(path, name, alike, "a value where there is a temperature")
    draws = np.asarray(pc.fill_null(pc.list_value_length(prefix), 0))
    _expect(path, "draw_end", draws == np.asarray(pc.fill_null(pc.list_value_length(end), 0)), "as many as draw_prefix")
    tree = np.repeat(np.arange(len(sizes)), draws)
    first, last = (np.asarray(pc.fill_null(pc.list_flatten(column), NO_NODE)) for column in (prefix, end))
    wrong = tree[~((first >= 0) & (first <= last) & (last < sizes[tree]))]
    _expect(
        path, "draw_end", ~np.isin(np.arange(len(sizes)), wrong), "nodes of the tree, at or after their draw_prefix"
    )


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
