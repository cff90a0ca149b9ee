"""The vocabulary of formats: rows, and the types of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import pyarrow as pa

from regrow.export.recipe import Recipe
from regrow.verified import VerifiedTree

Row = dict[str, Any]

Speech = str | list[dict[str, str]]
"""Text, or the messages of a chat."""


class Rows(Protocol):
    """A format: what a verified tree becomes."""

    def __call__(self, verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
        """The rows of one tree. `index`: how many trees came before."""


TEXT, FLAG = pa.string(), pa.bool_()
COUNT, REAL = pa.int64(), pa.float64()
MESSAGES = pa.list_(pa.struct({"role": TEXT, "content": TEXT}))
SPEECH = pa.null()
"""Stands for `TEXT`, or `MESSAGES` where the prompt is a chat."""


def schema_of(columns: Mapping[str, pa.DataType], recipe: Recipe) -> pa.Schema:
    """The columns of an export."""
    speech = MESSAGES if recipe.prompt.chat else TEXT
    return pa.schema([(name, speech if kind is SPEECH else kind) for name, kind in columns.items()])
