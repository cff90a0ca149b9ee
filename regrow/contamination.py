"""Keeping test sets out of training data: problems that share a run of words with one of theirs are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

_WORD = re.compile(r"\w+")


class Contamination:
    """The word n-grams of test sets.

    Args:
        questions: That must not come up.
        length: Words in a row that make a question contaminated. A shorter question is, if all of it is the same.
    """

    def __init__(self, questions: Iterable[str], length: int) -> None:
        self._length = length
        self._known = {gram for question in questions for gram in self._grams(question)}

    def __contains__(self, question: str) -> bool:
        """Whether a question shares words with a test set."""
        return bool(self._known) and any(gram in self._known for gram in self._grams(question))

    def _grams(self, question: str) -> Iterator[int]:
        words = _WORD.findall(question.casefold())
        if len(words) < self._length:
            yield _digest(words)
        for start in range(len(words) - self._length + 1):
            yield _digest(words[start : start + self._length])


def _digest(words: Sequence[str]) -> int:
    """63 bits for some words: sets of them are a quarter as large as of the words."""
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest()) >> 1
