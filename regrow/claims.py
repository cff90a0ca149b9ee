"""The equations between numbers that a text claims, and whether they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from regrow.tasks.expression import ExpressionError, read_expression

LONGEST = 20_000
"""Characters of a text that are read."""
MOST = 64
"""Claims that are taken of a text."""

_SIDE = 200
"""Characters of the longest side of an equation that is read."""
_RUN = re.compile(
    r"(?:\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|\\(?:times|cdot|div|left|right|[dt]?frac)(?![a-zA-Z])|\\[,;:! $]"
    r"|[-+*/^(){}=$ \t×÷·−])+"  # noqa: RUF001
)
"""What equations of numbers are written with. It never fails once it has begun, so it takes linear time."""

_SIGNS = "-+*/^×÷·−"  # noqa: RUF001
_BLANKS = re.compile(r"\\[,;:! $]|[$\s]|(?<=\d),(?=\d{3})")
_DECIMAL = re.compile(r"(\d+)\.(\d+)")
_OPERATION = re.compile(rf"(?<=[\d)}}])\s*(?:[{re.escape(_SIGNS)}]|\\(?:times|cdot|div))|\\[dt]?frac")
_BOTH = {"times", "plus", "minus", "over", "by", "mod"}
_REACH_ON, _REACH_BACK = frozenset({*_BOTH, "of"}), frozenset({*_BOTH, "remainder"})
"""Words that make a number behind them, and one before them, part of something longer."""
_WORD_BEFORE, _WORD_AFTER = re.compile(r"\\?[a-zA-Z]+$"), re.compile(r"\\?[a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Claim:
    """`left = right`, as they were written, without blanks, dollar signs and commas between thousands."""

    left: str
    right: str

    def holds(self) -> bool | None:
        """Whether both sides are equal, by exact fractions; None where it takes more than + - * / and brackets.

        A decimal number may stand for what it is the rounding of: `10/3=3.33` holds. What divides by zero does not.
        """
        try:
            left, right = (read_expression(_DECIMAL.sub(_as_fraction, side)).value for side in (self.left, self.right))
        except ExpressionError:
            return None
        if left is None or right is None:
            return False
        places = [len(match[2]) for side in (self.left, self.right) if (match := _DECIMAL.fullmatch(side))]
        return abs(left - right) <= (Fraction(1, 2 * 10 ** min(places)) if places else 0)

    @property
    def is_rounded(self) -> bool:
        """Whether there is a decimal number in it, so that a difference may be one of rounding."""
        return "." in self.left + self.right


def claims(text: str) -> tuple[Claim, ...]:
    r"""The different equations of a text, the first `MOST`, such as `3 * 4 = 12`, `3 \times 4 = 12`, `<<3*4=12>>`.

    A side holds numbers and signs alone, and one of the two an operation; `1 + 2 = 3 = 9/3` are two claims. What may be
    part of something longer is no claim: a side next to a letter, a percent sign or a word such as `of`.
    """
    found = (claim for run in _RUN.finditer(text[:LONGEST]) if "=" in run[0] for claim in _of_run(run))
    return tuple(dict.fromkeys(found))[:MOST]


def _of_run(run: re.Match[str]) -> Iterator[Claim]:
    sides = run[0].split("=")
    told = [_told(side) for side in sides]
    if not _begins(run.string[: run.start()][-20:], run[0]):
        told[0] = None
    if not _ends(run.string[run.end() :][:20], run[0]):
        told[-1] = None
    for left, right in pairwise(told):
        if left and right and (_OPERATION.search(left) or _OPERATION.search(right)):
            yield Claim(left, right)


def _told(side: str) -> str | None:
    """A side without blanks; None where it can be none."""
    text = _BLANKS.sub("", side)
    whole = text and len(text) <= _SIDE and re.search(r"\d", text) and text[-1] not in _SIGNS
    is_one_number = not re.search(r"[\d.)}][$ \t]+[\d.]", side)  # two numbers with nothing between them are no product
    return text if whole and is_one_number and all(text.count(a) == text.count(b) for a, b in ("()", "{}")) else None


def _begins(before: str, run: str) -> bool:
    """Whether an equation may begin here: not with what a word, a variable or a clock has begun."""
    start = run.lstrip(" \t$")
    if len(start) == len(run) and before:
        if before[-1] in ".,:;" and before[-2:-1].isdigit():
            return False
        if before[-1] not in ".,:;<\n\"'":
            return False
    word = _WORD_BEFORE.search(before)
    return word is None or not (start[:1] in (*_SIGNS, "(", "{") or word[0].lower() in _REACH_ON)


def _ends(after: str, run: str) -> bool:
    """Whether an equation may end here: not where a variable, a per cent sign or further digits follow."""
    if after[:1] in ("%", "!", "°", "_", "|", "[", "√") or (after[:1] in (".", ",", ":") and after[1:2].isdigit()):
        return False
    word = _WORD_AFTER.match(after)
    return word is None or not (
        run[-1] not in " \t$" or len(word[0]) == 1 or word[0][0] == "\\" or word[0].lower() in _REACH_BACK
    )


def _as_fraction(number: re.Match[str]) -> str:
    """`3.25` as `(325/100)`, which is exact."""
    return f"({number[1]}{number[2]}/{10 ** len(number[2])})"
