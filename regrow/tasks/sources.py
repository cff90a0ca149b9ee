"""Where rows come from: a JSONL or parquet file, or a data set by its Hugging Face name. One row in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mcts.errors import InputError, first_line, unusable
from policy.rows import why_not

_LINES = (".jsonl", ".json", ".ndjson")
_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?::(?P<subset>[\w.-]+))?(?::(?P<split>[\w.\[\]%:-]+))?")
_EXPECTED = "expected a .jsonl or .parquet file, or a data set as OWNER/NAME[:SUBSET[:SPLIT]]"
_BATCH = 1024


class Row(NamedTuple):
    """A row, and where it stands, as errors begin."""

    where: str
    fields: Mapping[str, Any]


def rows(source: str) -> Iterator[Row]:
    """The rows of a source in their order.

    Raises:
        InputError: It cannot be read, or a row is no object; names the place.
    """
    if not source.strip() or "\0" in source:
        raise InputError(f"problems={source!r}: names nothing, {_EXPECTED}")
    path = Path(source)
    if path.suffix in _LINES:
        return _lines(path)
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.is_dir():
        return _data_set(source, source, None, "train")
    if name := _NAME.fullmatch(source):
        return _data_set(source, name["name"], name["subset"], name["split"] or "train")
    raise InputError(f"problems={source}: no source of problems, {_EXPECTED}")


def _lines(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield Row(f"{path}:{number}", _object(line, f"{path}:{number}"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 behind line {number} ({error.reason}), expected a JSONL file") from error
    except OSError as error:
        raise InputError(f"problems={path}: cannot be read ({error.strerror}), {_EXPECTED}") from error


def _object(line: str, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({why_not(error)}), expected one object a line") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: a JSON {type(row).__name__}, expected an object")
    return row


def _parquet(path: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}: row {number}", fields)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"problems={path}: cannot be read ({first_line(error)}), {_EXPECTED}") from error


def _data_set(source: str, name: str, subset: str | None, split: str) -> Iterator[Row]:
    import datasets

    datasets.disable_progress_bars()
    with unusable(f"problems={source}: cannot be loaded", _EXPECTED.removeprefix("expected ")):
        found = datasets.load_dataset(name, subset, split=split, streaming=True)
        for number, fields in enumerate(found, start=1):
            yield Row(f"{source}: row {number}", fields)
