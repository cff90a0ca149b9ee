"""Imagined problems as they lie in a file: questions, and where they come from. There is no answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.types import Problem
from policy.rows import Row, read_rows
from regrow import atomic

IMAGINED_FILE = "imagined.jsonl"


@dataclass(frozen=True, slots=True)
class Imagined:
    """A problem that the policy made.

    Attributes:
        id: `imagined:ROUND:WAY:DIGEST`, by which trees in trace stores are known to be of it.
        way: A name of `regrow.imagine.ways`.
        parents: Ids of the problems that the policy was shown.
        round: In which it was made.
        policy: Fingerprint of the policy that made it, with the form in which it was asked.
        agreement: Share of the policy's solutions that have the most frequent answer.
    """

    id: str
    question: str
    way: str
    parents: tuple[str, ...]
    round: int
    policy: str
    agreement: float

    @property
    def problem(self) -> Problem:
        """What searches receive."""
        return Problem(self.id, self.question)


def write_imagined(folder: Path, imagined: Sequence[Imagined]) -> None:
    """Write `imagined.jsonl`: a row a problem, which `problems=FILE` reads where no answers are needed."""
    rows = [json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n" for one in imagined]
    atomic.write_text(folder / IMAGINED_FILE, "".join(rows))


def read_imagined(folder: Path) -> list[Imagined]:
    """What `write_imagined` left in `folder`. Raises `InputError` if it cannot be read, or a row is of another form."""
    return [_imagined(row) for row in read_rows(folder / IMAGINED_FILE)]


def _imagined(row: Row) -> Imagined:
    expected = [one.name for one in dataclasses.fields(Imagined)]
    if set(row.fields) != set(expected) or not isinstance(row.fields["parents"], list):
        raise row.error(f"no imagined problem, expected {', '.join(expected)}")
    return Imagined(**{**row.fields, "parents": tuple(row.fields["parents"])})
