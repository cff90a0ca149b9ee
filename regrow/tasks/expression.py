"""An arithmetic expression of whole numbers, read without evaluating anything but + - * / on fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 200
_SPELT = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})  # noqa: RUF001
_LATEX = ((r"\times", "*"), (r"\cdot", "*"), (r"\div", "/"), (r"\left", ""), (r"\right", ""))
_TOKEN = re.compile(r"\s*([0-9]{1,9}|[-+*/()])")


class ExpressionError(ValueError):
    """The text is no expression."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression comes to.

    Attributes:
        value: None where something is divided by zero.
        numbers: The numbers it uses, in their order.
    """

    value: Fraction | None
    numbers: tuple[int, ...]


def read_expression(text: str) -> Expression:
    """Read `(5 * (10 - 4)) - 6`.

    Raises:
        ExpressionError: It is none, or longer than `LONGEST` characters.
    """
    text = text.translate(_SPELT)
    for word, sign in _LATEX:
        text = text.replace(word, sign)
    if len(text) > LONGEST:
        raise ExpressionError(f"{len(text)} characters, expected at most {LONGEST}")
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(f"{text[place : place + 10]!r}: expected a number, a sign or a bracket")
        tokens.append(match[1])
        place = match.end()
    reader = _Reader(tokens)
    value = reader.sum()
    if reader.here is not None:
        raise ExpressionError(f"{reader.here!r} behind the end of the expression")
    return Expression(value, tuple(int(token) for token in tokens if token.isdigit()))


class _Reader:
    """Recursive descent: a sum of products of numbers and bracketed sums. No deeper than `LONGEST`."""

    def __init__(self, tokens: list[str]) -> None:
        self._left = tokens[::-1]

    @property
    def here(self) -> str | None:
        """The next token."""
        return self._left[-1] if self._left else None

    def sum(self) -> Fraction | None:
        """Terms and the signs between them."""
        total = self._product()
        while self.here in ("+", "-"):
            sign, term = self._left.pop(), self._product()
            total = None if total is None or term is None else total + term if sign == "+" else total - term
        return total

    def _product(self) -> Fraction | None:
        product = self._factor()
        while self.here in ("*", "/"):
            sign, factor = self._left.pop(), self._factor()
            if product is None or factor is None or (sign == "/" and not factor):
                product = None
            else:
                product = product * factor if sign == "*" else product / factor
        return product

    def _factor(self) -> Fraction | None:
        token = self._left.pop() if self._left else None
        if token == "(":
            inner = self.sum()
            if not self._left or self._left.pop() != ")":
                raise ExpressionError("a bracket is not closed")
            return inner
        if token is None or not token.isdigit():
            raise ExpressionError(f"{token!r}, expected a number or a bracket")
        return Fraction(int(token))
