"""An equation of two whole numbers: what the steps of the embedded tasks are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

SIGNS = ("+", "-", "*", "/")

_EQUATION = re.compile(r"([0-9]{1,6}) ([-+*/]) ([0-9]{1,6}) = ([0-9]{1,6})")


class Equation(NamedTuple):
    """`left sign right = result`, true or not."""

    left: int
    sign: str
    right: int
    result: int

    @property
    def text(self) -> str:
        """The equation in words, such as `9 - 4 = 5`."""
        return f"{self.left} {self.sign} {self.right} = {self.result}"

    @property
    def is_true(self) -> bool:
        """Whether the arithmetic is right."""
        return evaluate(self.left, self.sign, self.right) == self.result

    def ordered(self) -> Equation:
        """The same equation with the larger operand of a sum or product first."""
        if self.sign in "+*" and self.left < self.right:
            return Equation(self.right, self.sign, self.left, self.result)
        return self


def evaluate(left: int, sign: str, right: int) -> int | None:
    """The whole-number result of an operation; None where division is not exact."""
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right if right and left % right == 0 else None
    raise ValueError(f"sign: expected one of {' '.join(SIGNS)}, got {sign!r}")


def parse_equation(text: str) -> Equation | None:
    """Read `9 - 4 = 5` (any white space between the words); None if `text` is nothing of that form."""
    match = _EQUATION.fullmatch(" ".join(text.split()))
    if match is None:
        return None
    left, sign, right, result = match.groups()
    return Equation(int(left), sign, int(right), int(result))


def canonical_key(steps: Iterable[Equation | str]) -> str:
    """A key that is equal for the same multiset of equations, whatever their order and that of their operands.

    Independent steps may come in any order; the computation is the same. A `str` is a step that is no equation.
    """
    return " ; ".join(
        sorted(step.ordered().text if isinstance(step, Equation) else " ".join(step.split()) for step in steps)
    )
