"""What is derived from a problem by hashing: its split, its id, and every random stream of a task."""

from __future__ import annotations

import random
from hashlib import blake2b

from regrow.tasks.task import Split

_BUCKETS = (
    *(Split.TRAIN,) * 7,
    *(Split.TEST, Split.VALIDATION, Split.TEST),
    *(Split.TRAIN,) * 8,
    *(Split.VALIDATION, Split.TEST),
)


def split_of(key: str) -> Split:
    """The split of the problem that `key` identifies: 75 % train, 10 % validation, 15 % test.

    A function of the problem alone, so no option, seed or count can move a problem to another split.
    """
    return _BUCKETS[_digest("split", key) % len(_BUCKETS)]


def problem_id(task: str, key: str) -> str:
    """A short id that is the same in every process, such as `countdown-3f9a52c07b1e`."""
    return f"{task}-{_digest('id', task, key) >> 16:012x}"


def stream(*parts: str | int) -> random.Random:
    """A random stream that is a function of `parts` alone."""
    return random.Random(_digest("stream", *map(str, parts)))


def _digest(*parts: str) -> int:
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest())
