"""The one error that is the user's to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unicodedata import category

LONGEST_LINE = 480
"""Characters of a line that says what is wrong."""

_LONGEST_FIRST = 200
_TAIL = 180


class InputError(ValueError):
    """Something given from outside cannot be used: the message is one line saying what, where, what was expected."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where it has none, without a full stop and not too long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return said.rstrip(".")[:_LONGEST_FIRST]


def one_line(text: str) -> str:
    """A text in one line that does nothing to a terminal: controls are spelt; what is too long lacks its middle."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - _TAIL - 5]} ... {line[-_TAIL:]}"


def printable(text: str) -> str:
    """A text with its controls, and the halves of characters, spelt as Python does; lines and spaces stay."""
    return "".join(one if _is_harmless(one) else one.encode("unicode_escape").decode() for one in text)


def _is_harmless(one: str) -> bool:
    return one.isprintable() or one in "\n\t" or category(one) == "Zs"


@contextmanager
def unusable(what: str, expected: str) -> Iterator[None]:
    """Whatever a library raises at what others wrote becomes the one line that it gets.

    Raises:
        InputError: Anything was raised.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {first_line(error)}, expected {expected}") from error
