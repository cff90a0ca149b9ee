"""Whether two answers are the same, as far as this takes no computer algebra."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from regrow.grader.number import read_number
from regrow.grader.shape import Kind, Shape

Verdict = bool | None
"""None: it takes algebra to tell."""

Judge = Callable[[Shape, Shape], Verdict]

_BASED = re.compile(r"(?P<digits>[0-9A-Z]+)_\{?(?:\\?text)?\{?(?:base)? ?(?P<base>\d+|two|three|five|eight|ten)\}*")
_LETTER = re.compile(r"(\S*) [mgshL](?:\^\{?[23]\}?)?")
_BASES = {"two": "2", "three": "3", "five": "5", "eight": "8", "ten": "10"}
_CLOCK = re.compile(r"\d+(?::\d+)+.*")
_WORDS = re.compile(r"[a-zA-Z][-a-zA-Z' .]+")
_CHOICE = re.compile(r"\(([A-J])\)[\s.:]*\S.*")
_RELATION = re.compile(r"[<>=]|\\(?:leq|geq|neq|in|setminus|cap|cup|mathbb|emptyset)(?![a-zA-Z])")


def same(gold: Shape, answer: Shape, judge: Judge) -> Verdict:
    """Compare two shapes part by part; `judge` decides on values, and on sets that are written in different ways."""
    if gold.name and answer.name and gold.name != answer.name and gold.number and answer.number:
        return False  # x = 5 and y = 5
    if pair_up := _pairing(gold, answer):
        verdict = pair_up(gold.parts, answer.parts, judge)
        if verdict is not False or answer.kind is not Kind.UNION:
            return verdict
    are_values = gold.kind is Kind.LEAF and answer.kind is Kind.LEAF
    return judge(gold, answer) if are_values or _is_described(gold) or _is_described(answer) else False


def plainly(gold: Shape, answer: Shape) -> Verdict:
    """Judge by spelling and exact arithmetic."""
    if gold.kind is not Kind.LEAF or answer.kind is not Kind.LEAF:
        return True if gold.normal == answer.normal else None
    return next((verdict for rule in _RULES if (verdict := rule(gold, answer)) is not None), None)


def _pairing(gold: Shape, answer: Shape) -> Callable[[Sequence[Shape], Sequence[Shape], Judge], Verdict] | None:
    """How the parts of two shapes are held against each other; None if they are not."""
    kinds = {gold.kind, answer.kind}
    if kinds <= {Kind.LIST, Kind.SET} or kinds == {Kind.UNION}:
        return _matched
    if kinds == {Kind.UNION, Kind.LIST} and all(map(_is_described, answer.parts)):
        return _matched  # x < 0 or x > 2
    if kinds in ({Kind.MATRIX}, {Kind.ROW}) and (gold.form == answer.form or _is_long(gold)):
        return _in_order
    return _in_order if kinds == {Kind.ROW, Kind.LIST} and "()" in {gold.form, answer.form} else None


def _is_long(shape: Shape) -> bool:
    """Whether it is a row of three or more: its brackets are no end points of an interval then."""
    return shape.kind is Kind.ROW and len(shape.parts) > 2


def _matched(gold: Sequence[Shape], answer: Sequence[Shape], judge: Judge) -> Verdict:
    """Whether each part of one has its like in the other, and none is left over."""
    wanted, left = _distinct(gold), _distinct(answer)
    if len(wanted) != len(left):
        return False
    unsure = False
    for part in wanted:
        verdicts = [same(part, other, judge) for other in left]
        if True in verdicts:
            left.pop(verdicts.index(True))
        elif None in verdicts:
            unsure = True
        else:
            return False
    return None if unsure else True


def _in_order(gold: Sequence[Shape], answer: Sequence[Shape], judge: Judge) -> Verdict:
    if len(gold) != len(answer):
        return False
    unsure = False
    for pair in zip(gold, answer, strict=True):
        verdict = same(*pair, judge)
        if verdict is False:
            return False
        unsure |= verdict is None
    return None if unsure else True


def _distinct(parts: Sequence[Shape]) -> list[Shape]:
    return list({part.name + part.normal: part for part in parts}.values())


def _is_described(shape: Shape) -> bool:
    """Whether it is a set in words of its own: `x > 2`, a union, a difference."""
    return shape.kind is Kind.UNION or bool(shape.kind is Kind.LEAF and _RELATION.search(shape.text))


# --- rules for two values, in the order in which they are asked -------------------------------------------------------


def _by_number(gold: Shape, answer: Shape) -> Verdict:
    return gold.number.equals(answer.number) if gold.number and answer.number else None


def _by_spelling(gold: Shape, answer: Shape) -> Verdict:
    return True if gold.normal == answer.normal and (not answer.name or gold.name in {"", answer.name}) else None


def _by_base(gold: Shape, answer: Shape) -> Verdict:
    """Numbers in a base: the digits must be those of the gold answer; a base may be left out, but not be another."""
    left, right = _BASED.fullmatch(gold.form), _BASED.fullmatch(answer.form)
    if not (left or right) or not all(match or shape.number for match, shape in ((left, gold), (right, answer))):
        return None
    digits = {match["digits"] if match else shape.form for match, shape in ((left, gold), (right, answer))}
    bases = {_BASES.get(match["base"], match["base"]) for match in (left, right) if match}
    return len(digits) == len(bases) == 1


def _by_letter(gold: Shape, answer: Shape) -> Verdict:
    """A unit of one letter, where gold is a number and it can be no variable."""
    metres = _LETTER.fullmatch(answer.text) if gold.number else None
    number = read_number(metres[1]) if metres else None
    return gold.number.equals(number) if gold.number and number else None


def _by_clock(gold: Shape, answer: Shape) -> Verdict:
    """A time or a ratio is nothing but itself."""
    return False if _CLOCK.fullmatch(gold.form) or _CLOCK.fullmatch(answer.form) else None


def _by_choice(gold: Shape, answer: Shape) -> Verdict:
    """A choice may be followed by what it says: `(C) 17`."""
    choice = _CHOICE.fullmatch(answer.form) if re.fullmatch("[A-J]", gold.form) else None
    return choice[1] == gold.form if choice else None


def _by_words(gold: Shape, answer: Shape) -> Verdict:
    are_words = all(_WORDS.fullmatch(shape.form) for shape in (gold, answer))
    is_text = (are_words or gold.number or answer.number) and (_is_text(gold) or _is_text(answer))
    return False if is_text else None


_RULES = (_by_number, _by_spelling, _by_base, _by_letter, _by_clock, _by_choice, _by_words)


def _is_text(shape: Shape) -> bool:
    r"""Words: something in `\text{}`, or letters that are no product of a few variables."""
    return bool(_WORDS.fullmatch(shape.form)) and (r"\text" in shape.text or len(shape.form) > 4)
