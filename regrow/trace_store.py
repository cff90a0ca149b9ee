"""The trace store: verified trees as two parquet files, `problems.parquet` and `nodes.parquet`.

One row a tree and one row a node. Both files are written in row groups of the same trees, so a reader holds one group
at a time and group i of one file belongs to group i of the other. What comes back is bit for bit what went in.
`docs/traces.md` tells the columns. Version 2 had no answers, version 3 no record; both are still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mcts.errors import InputError, unusable
from mcts.labels import StepLabels
from mcts.tree import Record, SearchTree
from mcts.types import Outcome, Problem, Spent, Step, StepEnd
from regrow import atomic
from regrow.trace_check import check_nodes, check_problems
from regrow.verified import VerifiedTree

SCHEMA_VERSION = 4
NEW_IN = {"answer": 3, "temperature": 4, "draw_prefix": 4, "draw_end": 4, "score": 4}
"""Columns that stores before a version lack."""

OLDEST_READ = 2
TREES_PER_GROUP = 256
PROBLEMS_FILE = "problems.parquet"
NODES_FILE = "nodes.parquet"

_METADATA = {b"schema_version": str(SCHEMA_VERSION).encode()}

PROBLEMS_SCHEMA = pa.schema(
    [
        ("tree", pa.int64()),
        ("problem_id", pa.string()),
        ("question", pa.string()),
        ("gold", pa.string()),
        ("strategy", pa.string()),
        ("failure", pa.string()),
        ("seed", pa.uint64()),
        ("answer_node", pa.int32()),
        ("nodes", pa.int32()),
        ("finals", pa.int32()),
        ("correct", pa.int32()),
        ("tokens_generated", pa.int64()),
        ("tokens_scored", pa.int64()),
        ("policy_calls", pa.int64()),
        ("scorer_calls", pa.int64()),
        ("temperature", pa.float64()),
        ("draw_prefix", pa.list_(pa.int32())),
        ("draw_end", pa.list_(pa.int32())),
    ],
    metadata=_METADATA,
)
"""One row a tree. `nodes`, `finals` and `correct` are counts. Null: what is in the tree's record, where it has none."""

NODES_SCHEMA = pa.schema(
    [
        ("tree", pa.int64()),
        ("problem_id", pa.string()),
        ("node", pa.int32()),
        ("parent", pa.int32()),
        ("depth", pa.int32()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float64())),
        ("end", pa.string()),
        ("visits", pa.int32()),
        ("value_sum", pa.float64()),
        ("value", pa.float32()),
        ("score", pa.float64()),
        ("prior", pa.float32()),
        ("flags", pa.uint16()),
        ("outcome", pa.string()),
        ("answer", pa.string()),
        ("remaining", pa.int32()),
        ("hard", pa.float32()),
        ("progress", pa.float32()),
        ("soft", pa.float32()),
    ],
    metadata=_METADATA,
)
"""One row a node, parents first.

Null: the root's text, token_ids, logprobs and end; outcome where unjudged; answer there, too, and where there is none.
"""

_TREE_ARRAYS = ("parent", "visits", "value_sum", "value", "prior", "flags")
_LABEL_ARRAYS = ("remaining", "hard", "progress", "soft")
_SPENT = ("tokens_generated", "tokens_scored", "policy_calls", "scorer_calls")


def write_trees(folder: Path, trees: Iterable[VerifiedTree]) -> int:
    """Write `trees` into `folder` in their order, holding `TREES_PER_GROUP` of them at a time.

    Returns:
        How many trees were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    with ExitStack() as stack:
        problems_path = stack.enter_context(atomic.file(folder / PROBLEMS_FILE))
        nodes_path = stack.enter_context(atomic.file(folder / NODES_FILE))
        problems = stack.enter_context(pq.ParquetWriter(problems_path, PROBLEMS_SCHEMA, compression="zstd"))
        nodes = stack.enter_context(pq.ParquetWriter(nodes_path, NODES_SCHEMA, compression="zstd"))
        remaining = iter(trees)
        while group := list(islice(remaining, TREES_PER_GROUP)):
            _write_group(problems, _problem_columns(group, written), PROBLEMS_SCHEMA)
            _write_group(nodes, _node_columns(group, written), NODES_SCHEMA)
            written += len(group)
    return written


def read_trees(folder: Path) -> list[VerifiedTree]:
    """All trees of `folder`, in the order they were written. Raises `InputError` as `iter_trees` does."""
    return list(iter_trees(folder))


def iter_trees(folder: Path) -> Iterator[VerifiedTree]:
    """Stream the trees of `folder`, one row group in memory.

    Raises:
        InputError: A file is missing or not parquet, of another schema version, lacks a column, or holds no trees.
    """
    with (
        _open(folder / PROBLEMS_FILE, PROBLEMS_SCHEMA) as problems,
        _open(folder / NODES_FILE, NODES_SCHEMA) as nodes,
    ):
        if problems.num_row_groups != nodes.num_row_groups:
            raise InputError(
                f"{folder / NODES_FILE}: {nodes.num_row_groups} row groups, expected {problems.num_row_groups} "
                f"as in {PROBLEMS_FILE}"
            )
        for group in range(problems.num_row_groups):
            yield from _read_group(*_group(folder, problems, nodes, group), folder)


def _group(folder: Path, problems: pq.ParquetFile, nodes: pq.ParquetFile, group: int) -> tuple[pa.Table, pa.Table]:
    """A row group of both files, whose rows are trees."""
    tables = []
    for name, file in ((PROBLEMS_FILE, problems), (NODES_FILE, nodes)):
        with unusable(str(folder / name), "the rows of a trace store"):
            tables.append(file.read_row_group(group))
    check_problems(folder / PROBLEMS_FILE, tables[0])
    return tables[0], tables[1]


def count_trees(folder: Path) -> int:
    """How many trees `folder` has. Raises `InputError` as `iter_trees` does."""
    with _open(folder / PROBLEMS_FILE, PROBLEMS_SCHEMA) as problems:
        return int(problems.metadata.num_rows)


def _write_group(writer: pq.ParquetWriter, columns: dict[str, Any], schema: pa.Schema) -> None:
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    writer.write_table(table, row_group_size=max(1, table.num_rows))


def _problem_columns(group: Sequence[VerifiedTree], first: int) -> dict[str, Any]:
    trees = [verified.tree for verified in group]
    columns: dict[str, Any] = {
        "tree": range(first, first + len(trees)),
        "problem_id": [tree.problem.id for tree in trees],
        "question": [tree.problem.question for tree in trees],
        "gold": [verified.gold for verified in group],
        "strategy": [tree.strategy for tree in trees],
        "failure": [tree.failure for tree in trees],
        "seed": np.array([tree.seed for tree in trees], np.uint64),
        "answer_node": [tree.answer for tree in trees],
        "nodes": [len(tree.steps) for tree in trees],
        "finals": [len(tree.finals()) for tree in trees],
        "correct": [list(verified.outcomes.values()).count(Outcome.CORRECT) for verified in group],
    }
    records = [tree.record for tree in trees]
    columns |= {
        "temperature": [record and record.temperature for record in records],
        "draw_prefix": [record and record.prefix for record in records],
        "draw_end": [record and record.end for record in records],
    }
    return columns | {name: [getattr(tree.spent, name) for tree in trees] for name in _SPENT}


def _node_columns(group: Sequence[VerifiedTree], first: int) -> dict[str, Any]:
    trees = [verified.tree for verified in group]
    sizes = [len(tree.steps) for tree in trees]
    steps = [step for tree in trees for step in tree.steps]
    columns: dict[str, Any] = {
        "tree": np.repeat(np.arange(first, first + len(trees)), sizes),
        "problem_id": np.repeat(np.array([tree.problem.id for tree in trees], object), sizes),
        "node": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "depth": np.concatenate([tree.depths() for tree in trees]),
    }
    for name, told in (("outcome", "outcomes"), ("answer", "answers")):
        columns[name] = [
            getattr(verified, told).get(node) for verified in group for node in range(len(verified.tree.steps))
        ]
    for name in ("text", "token_ids", "logprobs", "end"):
        columns[name] = [None if step is None else getattr(step, name) for step in steps]
    for name in _TREE_ARRAYS:
        columns[name] = np.concatenate([getattr(tree, name) for tree in trees])
    scores = [tree.record.scores if tree.record else np.full(len(tree.steps), np.nan) for tree in trees]
    columns["score"] = np.concatenate(scores)
    for name in _LABEL_ARRAYS:
        columns[name] = np.concatenate([getattr(verified.labels, name) for verified in group])
    return columns


def _open(path: Path, expected: pa.Schema) -> pq.ParquetFile:
    if not path.is_file():
        raise InputError(f"{path} is missing, expected a trace store ({PROBLEMS_FILE} and {NODES_FILE})")
    try:
        opened = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not a readable parquet file, expected a trace store") from error
    try:
        _check(path, opened.schema_arrow, expected)
    except InputError:
        opened.close()
        raise
    return opened


def _check(path: Path, found: pa.Schema, expected: pa.Schema) -> None:
    version = (found.metadata or {}).get(b"schema_version", b"none").decode(errors="replace")
    if version not in map(str, range(OLDEST_READ, SCHEMA_VERSION + 1)):
        raise InputError(f"{path}: schema version {version}, expected {SCHEMA_VERSION}")
    for field in expected:
        if int(version) < NEW_IN.get(field.name, OLDEST_READ):
            continue
        if field.name not in found.names:
            raise InputError(f"{path}: column {field.name!r} is missing, expected {field.type} in version {version}")
        if (kind := found.field(field.name).type) != field.type:
            raise InputError(f"{path}: column {field.name!r} is {kind}, expected {field.type}")


def _read_group(problems: pa.Table, nodes: pa.Table, folder: Path) -> Iterator[VerifiedTree]:
    sizes = problems.column("nodes").to_numpy()
    if not np.array_equal(nodes.column("tree").to_numpy(), np.repeat(problems.column("tree").to_numpy(), sizes)):
        raise InputError(f"{folder / NODES_FILE}: rows do not follow {PROBLEMS_FILE}, expected the trees in its order")
    check_nodes(folder / NODES_FILE, nodes, sizes)
    arrays = {name: nodes.column(name).to_numpy() for name in _TREE_ARRAYS + _LABEL_ARRAYS}
    steps = _steps(nodes)
    outcomes = nodes.column("outcome").to_pylist()
    answers = nodes.column("answer").to_pylist() if "answer" in nodes.column_names else None
    scores = nodes.column("score").to_numpy() if "score" in nodes.column_names else None
    stop = 0
    for row in problems.to_pylist():
        start, stop = stop, stop + row["nodes"]
        part = {name: array[start:stop].copy() for name, array in arrays.items()}
        tree = SearchTree(
            problem=Problem(row["problem_id"], row["question"]),
            strategy=row["strategy"],
            failure=row["failure"],
            seed=row["seed"],
            spent=Spent(**{name: row[name] for name in _SPENT}, nodes=row["nodes"]),
            answer=row["answer_node"],
            steps=tuple(steps[start:stop]),
            record=None if scores is None else _record(row, scores[start:stop].copy()),
            **{name: part[name] for name in _TREE_ARRAYS},
        )
        judged = {node: Outcome(name) for node, name in enumerate(outcomes[start:stop]) if name is not None}
        told = {} if answers is None else {node: answers[start + node] for node in judged}
        yield VerifiedTree(tree, row["gold"], judged, StepLabels(**{name: part[name] for name in _LABEL_ARRAYS}), told)


def _record(row: dict[str, Any], scores: NDArray[np.float64]) -> Record | None:
    if row["draw_prefix"] is None:
        return None
    prefix, end = (np.asarray(row[name], np.int32) for name in ("draw_prefix", "draw_end"))
    return Record(row["temperature"], prefix, end, scores)


def _steps(nodes: pa.Table) -> list[Step | None]:
    texts = nodes.column("text").to_pylist()
    ends = nodes.column("end").to_pylist()
    token_ids, logprobs = _tuples(nodes.column("token_ids")), _tuples(nodes.column("logprobs"))
    return [
        None if end is None else Step(text, ids, probabilities, StepEnd(end))
        for text, ids, probabilities, end in zip(texts, token_ids, logprobs, ends, strict=True)
    ]


def _tuples(column: pa.ChunkedArray) -> list[tuple[Any, ...]]:
    """A list column as tuples; null becomes empty. Flat conversion: `to_pylist` makes an object a scalar first."""
    lists = column.combine_chunks()
    flat = lists.flatten().to_numpy().tolist()
    ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)).tolist()
    return [tuple(flat[start:stop]) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]
