"""Gold answers written in other ways, by rules where they apply: forms that mean the same, and forms that do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

_WHOLE = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_TUPLE = re.compile(r"(?P<open>[(\[])(?P<first>[^,()\[\]]+),(?P<second>[^,()\[\]]+)(?P<close>[)\]])")
_SEVERAL = re.compile(r"[^,()\[\]{}]+(?:, ?[^,()\[\]{}]+)+")
_TEXT = re.compile(r"\\text\{\(?(\w+)\)?\}")

Forms = Iterator[tuple[str, str]]


def right_forms(gold: str) -> Forms:
    """(how it was made, answer) of forms that mean the same."""
    plain = gold.replace(r"\$", "").replace(r",\!", "")
    yield "spaces", f"  {gold} "
    yield "full stop", f"{gold}."
    yield "dollar signs", f"${gold}$"
    yield "bold", f"**{gold}**"
    yield "box", rf"\boxed{{{gold}}}"
    yield "sentence", f"The answer is {gold}."
    if (number := _number(plain)) is not None:
        yield from _right_numbers(number, plain.replace(",", ""))
    yield from _right_structures(gold)
    yield from _right_symbols(gold)


def _right_structures(gold: str) -> Forms:
    if not _TEXT.search(gold) and "=" not in gold and r"\in" not in gold:
        yield "named", f"x = {gold}"
    if _TUPLE.fullmatch(_bare(gold)):
        yield "left right", rf"\left{_bare(gold)[:-1]}\right{_bare(gold)[-1]}"
        yield "tight", _bare(gold).replace(" ", "")
    if _is_several(gold):
        parts = [part.strip() for part in gold.split(",")]
        yield "reversed", ", ".join(reversed(parts))
        yield "and", ", ".join(parts[:-1]) + r" \text{ and } " + parts[-1]
        yield "set", r"\{" + ", ".join(parts) + r"\}"
        yield "each named", ", ".join(f"x = {part}" for part in parts)
    if "matrix" in gold:
        yield "bmatrix", gold.replace("pmatrix", "bmatrix")
    if re.fullmatch(r"[\w ^]+\+[\w ^]+", gold):
        yield "summands", "+".join(reversed(gold.split("+")))


def _right_symbols(gold: str) -> Forms:
    if "frac" in gold:
        yield "dfrac", gold.replace(r"\dfrac", r"\frac").replace(r"\frac", r"\dfrac")
    if text := _TEXT.fullmatch(gold):
        yield "without text", text[1]
        yield "bold text", rf"\textbf{{{text[1]}}}"
    if gold.endswith(r"^\circ"):
        yield "degrees", gold.removesuffix(r"^\circ") + r" \text{ degrees}"
        yield "braces", gold.replace(r"^\circ", r"^{\circ}")
        yield "no degrees", gold.removesuffix(r"^\circ")
    if r"\sqrt" in gold:
        yield "one half", re.sub(r"\\sqrt\{(\d+)\}", r"(\1)^{1/2}", gold)


def _right_numbers(number: Fraction, plain: str) -> Forms:
    top, bottom = number.numerator, number.denominator
    sign = "-" if number < 0 else ""
    for unit in (r" \text{ cm}", r"\text{ dollars}", " dollars", " cups per day", r"\,\mathrm{kg}", r"\%"):
        yield f"unit {unit.strip()}", plain + unit
    yield "currency", rf"\${plain}"
    if bottom == 1:
        yield "trailing zeros", f"{plain.partition('.')[0]}.00"
        yield "commas", f"{top:,}"
        yield "LaTeX commas", f"{top:,}".replace(",", "{,}")
        return
    yield "slash", f"{sign}{abs(top)}/{bottom}"
    yield "frac", rf"{sign}\frac{{{abs(top)}}}{{{bottom}}}"
    yield "inner sign", rf"\frac{{{top}}}{{{bottom}}}"
    if abs(number) > 1:
        whole, rest = divmod(abs(top), bottom)
        yield "mixed", rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}"
    if (decimal := _decimal(number)) is not None:
        yield "decimal", decimal
        yield "decimal, zeros", decimal + "0"
    else:
        yield "six decimals", f"{float(number):.6f}"


def wrong_forms(gold: str) -> Forms:
    """(how it was made, answer) of forms that mean something else."""
    plain = gold.replace(r"\$", "").replace(r",\!", "")
    if (number := _number(plain)) is not None:
        yield from _wrong_numbers(number)
    if (row := _TUPLE.fullmatch(_bare(gold))) and row["first"].strip() != row["second"].strip():
        yield "tuple reordered", f"{row['open']}{row['second']},{row['first']}{row['close']}"
        other = {"(": "[", "[": "(", ")": "]", "]": ")"}
        yield "other bracket, left", f"{other[row['open']]}{row['first']},{row['second']}{row['close']}"
        yield "other bracket, right", f"{row['open']}{row['first']},{row['second']}{other[row['close']]}"
    if _is_several(gold):
        parts = [part.strip() for part in gold.split(",")]
        yield "subset", ", ".join(parts[:-1])
        yield "superset", ", ".join([*parts, "97"])
        yield "one changed", ", ".join([*parts[:-1], "97"])
    if text := _TEXT.fullmatch(gold):
        yield "other text", r"\text{(F)}" if len(text[1]) == 1 else r"\text{Tuesday}"
    if r"\sqrt" in gold or r"\pi" in gold or r"^\circ" in gold:
        yield "twice", "2(" + gold.removesuffix(r"^\circ") + ")"
        yield "number alone", "97"
    if r"\cup" in gold:
        yield "part of a union", gold.partition(r"\cup")[0]
    if "matrix" in gold:
        yield "matrix cell", re.sub(r"\d+(?!.*\d)", "97", gold)
    if re.search(r"[a-z]", gold) and re.fullmatch(r"[a-zA-Z0-9 +^-]+", gold):
        yield "plus one", f"{gold} + 1"


def _wrong_numbers(number: Fraction) -> Forms:
    top, bottom = number.numerator, number.denominator
    yield "plus one", str(top + 1) if bottom == 1 else rf"\frac{{{top + 1}}}{{{bottom}}}"
    yield "ten times", str(number * 10) if number else "10"
    yield "with another", f"{number}, {number + 1}"
    yield "a millionth more", f"{float(number + Fraction(2, 10**6)):.9f}"
    if number:
        yield "variable", f"{top}x" if bottom == 1 else f"{top}x/{bottom}"
        yield "sign", str(-number)
    if top not in {0, bottom, -bottom}:
        yield "upside down", f"{bottom}/{top}" if top > 0 else f"-{bottom}/{-top}"
    if _decimal(number) is None:
        yield "two decimals", f"{float(number):.2f}"


def _bare(gold: str) -> str:
    return gold.replace(r"\left", "").replace(r"\right", "").strip()


def _is_several(gold: str) -> bool:
    return bool(_SEVERAL.fullmatch(gold)) and r"\!" not in gold and _number(gold) is None


def _number(plain: str) -> Fraction | None:
    """The value of a whole number, a decimal, or a fraction of two whole numbers."""
    bare = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", plain)
    if _WHOLE.fullmatch(bare) or _DECIMAL.fullmatch(bare):
        return Fraction(bare)
    if match := _FRACTION.fullmatch(plain):
        return Fraction(int(match[1] + match[2]), int(match[3]))
    return None


def _decimal(number: Fraction) -> str | None:
    """The number as a decimal, if it has at most eight of them."""
    scaled = number * 10**8
    if scaled.denominator != 1:
        return None
    return f"{float(number):.8f}".rstrip("0")
