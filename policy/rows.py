"""Rows of a file that others wrote: JSON objects, one a line or in one list, or the rows of a parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mcts.errors import InputError, first_line

_BATCH = 256


class Row(NamedTuple):
    """A row, and where it stands: `FILE:LINE`, or the number of the row where a file has no lines of them."""

    where: str
    fields: Mapping[str, Any]

    def named(self, names: tuple[str, ...]) -> tuple[str, Any]:
        """The first of `names` that the row has, and what stands there; `("", None)` where it has none."""
        return next(((name, self.fields[name]) for name in names if self.fields.get(name) is not None), ("", None))

    def text(self, *names: str) -> str:
        """The text under the first of `names` that the row has. Raises `InputError` if there is none."""
        name, found = self.named(names)
        if not isinstance(found, str):
            told = f"{name} is a {type(found).__name__}" if name else f"no {' or '.join(names)}"
            raise self.error(f"{told}, expected a text")
        return found

    def error(self, told: str) -> InputError:
        """What is wrong with the row, in one line."""
        return InputError(f"{self.where}: {told}")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a `.parquet` file, of a `.json` file with one list of objects, or of a JSONL file.

    Raises:
        InputError: The file cannot be read, or a row is no object.
    """
    rows = {".parquet": _parquet, ".json": _list}.get(path.suffix, _lines)
    try:
        for where, fields in rows(path):
            if not isinstance(fields, dict):
                raise InputError(f"{where}: a JSON {type(fields).__name__}, expected an object")
            yield Row(where, fields)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({first_line(error)}), expected a .jsonl, .json or .parquet file"
        ) from error


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"{path}:{number}", _parsed(line, f"{path}:{number}")


def _list(path: Path) -> Iterator[tuple[str, Any]]:
    found = _parsed(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(found, list):
        raise InputError(f"{path}: a JSON {type(found).__name__}, expected a list of objects (or .jsonl, one a line)")
    yield from ((f"{path}: object {number}", fields) for number, fields in enumerate(found, start=1))


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({why_not(error)}), expected an object") from error


def why_not(error: ValueError | RecursionError) -> str:
    """Why a text is no JSON: Python's parser also gives up at long numbers and deep nesting."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for fields in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", fields
    except pa.ArrowException as error:
        raise InputError(f"{path}: no parquet file ({first_line(error)}), expected one of rows") from error
