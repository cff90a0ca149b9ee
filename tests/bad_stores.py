"""Trace stores that are none: columns gone or of another kind, trees that are no trees, files that are no parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bad_input import HERE, BadCommand
from grown import verified_trees

from regrow.trace_store import NODES_FILE, NODES_SCHEMA, PROBLEMS_FILE, PROBLEMS_SCHEMA, write_trees

OUT = f"out={HERE}/run/out"
SCHEMAS = {PROBLEMS_FILE: PROBLEMS_SCHEMA, NODES_FILE: NODES_SCHEMA}
Change = Callable[[Path], None]

VALUES: dict[str, dict[str, Any]] = {
    NODES_FILE: {
        "parent": [-2, 0, 1, 5, 10**6, 2**31 - 1, None],
        "end": ["never", "", None],
        "outcome": ["perhaps", ""],
        "token_ids": [None],
        "text": [None],
        "flags": [None],
        "visits": [None],
        "tree": [7, None],
        "value_sum": [None],
        "hard": [None],
    },
    PROBLEMS_FILE: {
        "nodes": [0, -1, 1, 10**6, None],
        "answer_node": [-7, 10**6, None],
        "problem_id": [None],
        "question": [None],
        "strategy": [None],
        "seed": [None],
        "tree": [99, None],
        "tokens_generated": [None],
        "gold": [None],
    },
}
"""Values of one row in the middle that cannot be."""


def stores() -> Iterator[BadCommand]:
    """Each broken store, at the door of `export` and of `view`."""
    doors = {
        "export": ["export", f"traces={HERE}/traces", "format=sft", OUT],
        "stepwise": ["export", f"traces={HERE}/traces", "format=stepwise", OUT],
        "view": ["view", f"traces={HERE}/traces", f"out={HERE}/run/page.html"],
    }
    for name, file, change in _changes():
        for door, words in doors.items():
            yield BadCommand(f"traces/{door}: {name}", words, (file, "traces"), _maker(change))


def _changes() -> Iterator[tuple[str, str, Change]]:
    """What is wrong, in which file, and what makes it so."""
    for file, schema in SCHEMAS.items():
        for column in schema.names:
            yield f"{file} without {column}", file, _table(file, lambda table, c=column: table.drop_columns([c]))
            yield f"{column} of {file} of another type", file, _table(file, lambda table, c=column: _retyped(table, c))
        for column, values in VALUES[file].items():
            for value in values:
                yield (
                    f"{column}={value} in {file}",
                    file,
                    _table(file, lambda table, c=column, v=value: _changed(table, c, v)),
                )
        for version in (b"0", b"1", b"99", b"", b"three", b"\xff", None):
            yield f"{file} of version {version!r}", file, _table(file, lambda table, v=version: _versioned(table, v))
        for name, change in _BYTES.items():
            yield f"{file} {name}", file, lambda folder, f=file, c=change: c(folder / f)
        yield (
            f"{file} upside down",
            file,
            _table(file, lambda table: table.take(list(range(table.num_rows - 1, -1, -1)))),
        )
        yield f"{file} short by a row", file, _table(file, lambda table: table.slice(0, table.num_rows - 1))
        yield f"{file} twice", file, _table(file, lambda table: pa.concat_tables([table, table]))
        yield f"{file} without rows", file, _table(file, lambda table: table.slice(0, 0))
    yield "no file at all", "traces", lambda folder: [(folder / file).unlink() for file in SCHEMAS]


def _scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(bytes(content))


_BYTES: dict[str, Change] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "of JSON": lambda path: path.write_bytes(b'{"a": 1}'),
    "scrambled": _scramble,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a loop of links": lambda path: (path.unlink(), path.symlink_to(path)),
}


def _maker(change: Change) -> Change:
    def make(folder: Path) -> None:
        write_trees(folder / "traces", verified_trees(3))
        change(folder / "traces")

    return make


def _table(file: str, change: Callable[[pa.Table], pa.Table]) -> Change:
    def write(folder: Path) -> None:
        changed = change(pq.read_table(folder / file))
        pq.write_table(changed, folder / file, row_group_size=max(1, changed.num_rows))

    return write


def _retyped(table: pa.Table, column: str) -> pa.Table:
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array([b"\x00"] * table.num_rows, pa.binary()))


def _changed(table: pa.Table, column: str, value: object) -> pa.Table:
    place = table.column_names.index(column)
    found = table.column(column).to_pylist()
    found[1] = value
    return table.set_column(place, table.schema.field(column), pa.array(found, table.schema.field(column).type))


def _versioned(table: pa.Table, version: bytes | None) -> pa.Table:
    return table.replace_schema_metadata(None if version is None else {b"schema_version": version})
