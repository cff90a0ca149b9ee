"""Rows on disk: files of at most so many rows, one group of rows in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from regrow.export.rows import Row

ROWS_AT_ONCE = 1000

Put = Callable[[Sequence[Row]], None]


def write_shards(
    folder: Path, rows: Iterable[Row], schema: pa.Schema, suffix: str, name: Callable[[int], str], per_file: int
) -> int:
    """Write `rows` into files of `folder`.

    Args:
        suffix: `parquet` or `jsonl`.
        name: The name of the file of this number, without its suffix.
        per_file: Rows a file.

    Returns:
        How many rows there were. Without any there is no file.
    """
    remaining, number, written = iter(rows), 0, 0
    while group := list(islice(remaining, min(ROWS_AT_ONCE, per_file))):
        left = per_file
        with _WRITERS[suffix](folder / f"{name(number)}.{suffix}", schema) as put:
            while group:
                put(group)
                left -= len(group)
                group = list(islice(remaining, min(ROWS_AT_ONCE, left)))
        number, written = number + 1, written + per_file - left
    return written


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Put]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))


@contextmanager
def _jsonl(path: Path, schema: pa.Schema) -> Iterator[Put]:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        yield lambda rows: stream.writelines(
            json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows
        )


_WRITERS = {"parquet": _parquet, "jsonl": _jsonl}
