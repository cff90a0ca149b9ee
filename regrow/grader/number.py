"""Plain numbers, read exactly. No power is ever computed but a power of ten with at most three digits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_DECIMAL = r"(?:\d+\.?\d*|\.\d+)"
_TEN = r"(?:[eE]|(?:\\times|\\cdot|\*)10\^)\{?(?P<exponent>[-+]?\d{1,3})\}?"
_FORMS = tuple(
    re.compile(rf"(?P<sign>[-+]?){form}(?P<scale>thousand|million|billion|trillion)?(?P<percent>%?)")
    for form in (
        rf"(?P<decimal>{_DECIMAL})(?:{_TEN})?",
        r"(?P<start>\d*\.\d*)\\overline\{(?P<period>\d+)\}",
        rf"(?P<top>{_DECIMAL})/(?P<bottom>{_DECIMAL})",
        rf"\\frac\{{(?P<top>[-+]?{_DECIMAL})\}}\{{(?P<bottom>[-+]?{_DECIMAL})\}}",
        r"(?P<whole>\d+)(?: (?P<top>\d+)/(?P<bottom>\d+))",
        r"(?P<whole>\d+)\\frac\{(?P<top>\d+)\}\{(?P<bottom>\d+)\}",
    )
)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_PLACES = 6
"""Decimals that a rounded value of a fraction needs to stand for it; math-verify compares as many."""
_SIGNIFICANT = 4
"""Significant digits that it needs besides: 0.000000 does not stand for 1/3000000."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written.

    Attributes:
        value: Exact, without the percent sign: 50 for `50%`.
        places: Decimals written, None where it is not written as a decimal.
    """

    value: Fraction
    places: int | None = None
    is_percent: bool = False

    def equals(self, other: Number) -> bool:
        """Whether both stand for the same: the same value, or one is the other, rounded finely enough.

        `50%` is 50 and also 1/2, but 50 is not 1/2, and two percentages are compared as such.
        """
        if self._close(other):
            return True
        if self.is_percent == other.is_percent:
            return False
        part, whole = (self, other) if self.is_percent else (other, self)
        return Number(part.value / 100).value == whole.value

    def _close(self, other: Number) -> bool:
        return self.value == other.value or self._rounds(other) or other._rounds(self)

    def _rounds(self, other: Number) -> bool:
        """Whether this decimal is the fraction `other` at this one's decimals."""
        if self.places is None or self.places < _PLACES or other.places is not None:
            return False
        unit = Fraction(1, 10**self.places)
        return abs(self.value) >= 10 ** (_SIGNIFICANT - 1) * unit and abs(other.value - self.value) <= unit / 2

    def __str__(self) -> str:
        return str(self.value)


def read_number(text: str) -> Number | None:
    r"""Read what `leaf_text` left of an answer; None if it is no number.

    Forms: `-3`, `.5`, `3/4`, `\frac{3}{4}`, `1 1/2`, `1\frac{1}{2}`, `50%`, `0.\overline{3}`, `1.5e-3`,
    `1.5\times10^3`, `2 million`.
    """
    match = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if match is None:
        return None
    parts = match.groupdict()
    value = _magnitude(parts)
    if value is None:
        return None
    value *= _SCALES.get(parts["scale"] or "", 1)
    decimal = parts.get("decimal") or ""
    places = len(decimal.partition(".")[2]) if "." in decimal and not parts.get("exponent") else None
    return Number(-value if parts["sign"] == "-" else value, places, bool(parts["percent"]))


def _magnitude(parts: dict[str, str | None]) -> Fraction | None:
    """The value of a match without its sign; None for a division by zero."""
    if decimal := parts.get("decimal"):
        return Fraction(decimal) * Fraction(10) ** int(parts.get("exponent") or 0)
    if period := parts.get("period"):
        start = parts["start"] or ""
        after = len(start.partition(".")[2])
        return Fraction("0" + start + "0") + Fraction(int(period), (10 ** len(period) - 1) * 10**after)
    top, bottom = Fraction(parts["top"] or ""), Fraction(parts["bottom"] or "")
    return int(parts.get("whole") or 0) + top / bottom if bottom else None
