"""Solutions that somebody else sampled: what a file tells of them, problem by problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.types import Problem
from policy.rows import Row, read_rows

IDS = ("id", "unique_id", "problem_id")
QUESTIONS = ("problem", "question")
PROMPT = "prompt"
"""May say more than the problem, so it names one only where it says just that."""
LISTS = ("completions", "responses", "solutions", "answers")
SINGLES = ("completion", "response", "generation")
TOKENS = ("tokens", "completion_tokens")
SCORES = ("scores", "score")


@dataclass(frozen=True, slots=True)
class RecordedSettings:
    """Where recorded solutions lie, and in which order they are drawn.

    Attributes:
        path: The file.
        shuffled: Whether each problem's solutions are drawn in an order that depends on the seed, or as they stand.
    """

    path: str | None = None
    shuffled: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A solution as it was recorded.

    Attributes:
        where: Names it in messages.
        tokens: How many it has; None where the file does not tell.
        scores: One for the whole or one for each step; empty where the file has none.
    """

    where: str
    text: str
    tokens: int | None = None
    scores: tuple[float, ...] = ()

    def pieces(self, delimiter: str) -> list[str]:
        """The texts of its steps: lines of white space are none; an empty solution is one empty step."""
        return [piece for piece in self.text.split(delimiter) if piece.strip()] or [""]


@dataclass(slots=True)
class Recording:
    """All that was recorded of one problem.

    Attributes:
        question: As the file has it; None where it tells an id or a prompt alone.
    """

    where: str
    question: str | None
    candidates: list[Candidate] = field(default_factory=list)


class RecordedSet:
    """The recorded solutions of many problems. No gold answer is read, whatever else the file holds.

    Args:
        digest: Of the file.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest
        self._recordings: list[Recording] = []
        self._by_id: dict[str, Recording] = {}
        self._by_text: dict[str, Recording] = {}
        for row in read_rows(path):
            self._recording(row).candidates.extend(_candidates(row))
        if not self._recordings:
            raise InputError(f"{path}: no recorded solutions, expected a row for each problem or each solution")

    @property
    def most(self) -> int:
        """The number of solutions of the problem that has most."""
        return max(len(recording.candidates) for recording in self._recordings)

    @property
    def is_scored(self) -> bool:
        """Whether any solution has scores."""
        return any(candidate.scores for recording in self._recordings for candidate in recording.candidates)

    def of(self, problem: Problem) -> Recording:
        """What was recorded of `problem`, by its id or else by its text.

        Raises:
            InputError: Nothing was, or the id is that of another problem in the file.
        """
        question = _plain(problem.question)
        named = self._by_id.get(problem.id)
        if named is not None and named.question in (None, question):
            return named
        if question in self._by_text:
            return self._by_text[question]
        if named is not None:
            raise InputError(f"{named.where}: {problem.id!r} is another problem there, expected {question!r}")
        raise InputError(f"{self.path}: nothing of problem {problem.id!r}, expected its id or its text")

    def _recording(self, row: Row) -> Recording:
        """The recording that a row belongs to: rows of one id, or without ids of one text, are one problem's."""
        _, identity = row.named(IDS)
        name, text = row.named((*QUESTIONS, PROMPT))
        if identity is None and not isinstance(text, str):
            raise row.error(f"neither {IDS[0]} nor {' or '.join((*QUESTIONS, PROMPT))}, expected one of them")
        question = _plain(text) if isinstance(text, str) else None
        key = str(identity)
        known = self._by_text.get(question or "") if identity is None else self._by_id.get(key)
        if known is None:
            known = Recording(row.where, question if name in QUESTIONS else None)
            self._recordings.append(known)
        if identity is not None:
            self._by_id[key] = known
        if question is not None:
            self._by_text.setdefault(question, known)
        return known


def recorded_set(path: Path) -> RecordedSet:
    """The recorded solutions in `path`, read once as long as the file stays as it is.

    Raises:
        InputError: The file cannot be read, or a row is none of a known form.
    """
    try:
        with path.open("rb") as stream:
            digest = blake2b(digest_size=16)
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"policy.recorded.path={path}: cannot be read ({error.strerror}), expected a file") from error
    return _read(path, digest.hexdigest())


_read = lru_cache(maxsize=1)(RecordedSet)


def _plain(text: str) -> str:
    """A text in which white space counts as one space."""
    return " ".join(text.split())


def _candidates(row: Row) -> list[Candidate]:
    """The solutions of a row: of a list, or the single one it has."""
    name, found = row.named((*LISTS, *SINGLES))
    if name in SINGLES:
        return [_candidate(row, row.where, found, row.named(TOKENS)[1], row.named(SCORES)[1])]
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        told = (
            f"{name} is {'an empty list' if found == [] else f'a {type(found).__name__}'}" if name else "no solutions"
        )
        raise row.error(f"{told}, expected a list under {', '.join(LISTS)}, or a text under {', '.join(SINGLES)}")
    beside = []
    for names in (TOKENS, SCORES):
        its_name, told = row.named(names)
        if told is not None and (not isinstance(told, list) or len(told) != len(found)):
            raise row.error(f"{its_name}: expected one for each of the {len(found)} {name}")
        beside.append(told or [None] * len(found))
    return [
        _candidate(row, f"{row.where}, {name}[{i}]", *one) for i, one in enumerate(zip(found, *beside, strict=True))
    ]


def _candidate(row: Row, where: str, found: Any, tokens: Any, scores: Any) -> Candidate:
    """One solution: a text, or an object with `text` and what is told of it."""
    if isinstance(found, dict):
        its = Row(where, found)
        return _candidate(row, where, its.text("text"), its.named(TOKENS)[1], its.named(SCORES)[1])
    if not isinstance(found, str):
        raise InputError(f"{where}: a {type(found).__name__}, expected a text or an object with text")
    count = len(tokens) if isinstance(tokens, list) else tokens
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        raise InputError(f"{where}: tokens is a {type(count).__name__}, expected their number")
    listed = scores if isinstance(scores, list) else [] if scores is None else [scores]
    if not all(isinstance(score, int | float) and not isinstance(score, bool) for score in listed):
        raise InputError(f"{where}: scores are {listed}, expected a number, or one for each step")
    return Candidate(where, found, count if count and count > 0 else None, tuple(map(float, listed)))
