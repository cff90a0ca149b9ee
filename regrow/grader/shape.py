r"""How an answer is put together: one value, several, a tuple, an interval, a set, a union, a matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from regrow.grader.number import Number, read_number
from regrow.grader.tidy import leaf_text, tidy

_DEEPEST = 8
"""Brackets in brackets that are looked into; what lies deeper is one value."""

_TOKEN = re.compile(r"\\begin(?![a-zA-Z])|\\end(?![a-zA-Z])|\\cup(?![a-zA-Z])|\\\\|\\.|[][(){},;&]", re.DOTALL)
_OPENING = {"(", "[", "{", r"\{", r"\begin"}
_CLOSING = {")", "]", "}", r"\}", r"\end"}
_MATRIX = re.compile(r"\\begin\{([pbvBV]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
_NAME = r"(?:\\?[a-zA-Z]|\\[a-zA-Z]+|[a-zA-Z][a-zA-Z ]{2,})(?:_\w|_\{[^{}]*\})?'?(?:\([a-zA-Z0-9,]*\))?"
_NAMED = re.compile(rf"(?P<name>{_NAME})\s*(?:=(?:.*[^<>!:]=)?|\\in(?![a-zA-Z])|\\approx(?![a-zA-Z]))(?P<value>[^=]+)")
_SIGNS = re.compile(r"\\(?:pm|mp)(?![a-zA-Z])\s*")


class Kind(StrEnum):
    """What holds the parts together. Parts of `LIST`, `SET` and `UNION` may come in any order."""

    LEAF = "leaf"
    LIST = "list"
    SET = "set"
    UNION = "union"
    ROW = "row"
    """In brackets, which are part of what it says: `(1, 2]`."""
    MATRIX = "matrix"


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer, taken apart.

    Attributes:
        text: As `tidy` left it, what it is called (`x =`) included.
        form: A leaf's `leaf_text` without its name; the brackets of a row; rows and columns of a matrix.
        name: What a leaf is called, such as `x`.
    """

    kind: Kind
    text: str
    form: str = ""
    parts: tuple[Shape, ...] = ()
    name: str = ""
    number: Number | None = None

    @property
    def is_unordered(self) -> bool:
        """Whether its parts may come in any order."""
        return self.kind in {Kind.LIST, Kind.SET, Kind.UNION}

    @property
    def normal(self) -> str:
        """Equal for shapes that are plainly equal."""
        if self.kind is Kind.LEAF:
            return str(self.number) if self.number else _caseless(self.form)
        parts = [part.normal for part in self.parts]
        if self.is_unordered:
            parts = sorted(set(parts))
        body = ",".join(parts)
        match self.kind:
            case Kind.ROW:
                return f"{self.form[0]}{body}{self.form[1]}"
            case Kind.MATRIX:
                return f"{self.form}[{body}]"
            case Kind.UNION:
                return "\\cup".join(parts)
        return body


def read_shape(answer: str) -> Shape:
    """Take an answer of at most `LONGEST` characters apart."""
    return _shape(tidy(answer), 0)


def _shape(text: str, depth: int) -> Shape:
    text = text.strip()
    if depth > _DEEPEST:
        return _leaf(text)
    return _several(text, depth) or _held(text, depth) or _either(text) or _leaf(text)


def _several(text: str, depth: int) -> Shape | None:
    """A union, or answers side by side."""
    if len(union := _split(text, (r"\cup",))) > 1:
        return Shape(Kind.UNION, text, parts=tuple(_shape(part, depth + 1) for part in union))
    if len(several := _split(text, (",", ";"))) > 1:
        return Shape(Kind.LIST, text, parts=_parts(several, depth))
    return None


def _held(text: str, depth: int) -> Shape | None:
    """What is in brackets, with or without a name before it, or a matrix."""
    if matrix := _MATRIX.fullmatch(text):
        return _matrix(text, matrix[2], depth)
    if inside := _bracketed(text):
        return _row(text, *inside, depth)
    if (named := _NAMED.fullmatch(text)) and _bracketed(named["value"].strip()):
        inner = _shape(named["value"], depth + 1)
        return Shape(inner.kind, text, inner.form, inner.parts, leaf_text(named["name"]), inner.number)
    return None


def _either(text: str) -> Shape | None:
    r"""Two values in one, as `1 \pm \sqrt{2}`."""
    if not _SIGNS.search(text):
        return None
    both = (text.replace(r"\pm", "+").replace(r"\mp", "-"), text.replace(r"\pm", "-").replace(r"\mp", "+"))
    return Shape(Kind.LIST, text, parts=tuple(map(_leaf, both)))


def _leaf(text: str) -> Shape:
    named = _NAMED.fullmatch(text)
    form = leaf_text(named["value"] if named else text)
    name = leaf_text(named["name"]) if named else ""
    form = re.sub(r"^\(([A-Z])\)$", r"\1", form)  # a choice, `(C)`
    return Shape(Kind.LEAF, text, form, name=name, number=read_number(form))


def _row(text: str, opening: str, closing: str, body: str, depth: int) -> Shape:
    r"""What brackets hold: `\{1, 2\}` is a set, one value in round or no brackets is itself."""
    pieces = _split(body, (",", ";"))
    if opening == r"\{":
        return Shape(Kind.SET, text, parts=_parts([piece for piece in pieces if piece.strip()], depth))
    if opening == "{" or len(pieces) == 1:
        return _shape(body, depth + 1) if opening != "[" or _MATRIX.fullmatch(body.strip()) else _leaf(text)
    return Shape(Kind.ROW, text, opening + closing, tuple(_shape(piece, depth + 1) for piece in pieces))


def _parts(pieces: list[str], depth: int) -> tuple[Shape, ...]:
    r"""The parts of what has no order; `1 \pm \sqrt{2}` among them is two."""
    shapes = [_shape(piece, depth + 1) for piece in pieces]
    return tuple(part for shape in shapes for part in (shape.parts if shape.kind is Kind.LIST else (shape,)))


def _matrix(text: str, body: str, depth: int) -> Shape:
    rows = [_split(row, ("&",)) for row in _split(body, (r"\\",)) if row.strip()]
    cells = tuple(_shape(cell, depth + 1) for row in rows for cell in row)
    return Shape(Kind.MATRIX, text, "x".join(str(len(row)) for row in rows), cells)


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Split at separators that are in no bracket; brackets need not match, as in `(1, 2]`."""
    pieces, start, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in separators and depth == 0:
            pieces.append(text[start : token.start()])
            start = token.end()
        depth += (mark in _OPENING) - (mark in _CLOSING and depth > 0)
    return [*pieces, text[start:]]


def _bracketed(text: str) -> tuple[str, str, str] | None:
    """The brackets around all of `text` and what is in them; None where the first does not close at the end."""
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) < 2 or tokens[0].start() > 0 or tokens[0][0] not in _OPENING - {r"\begin"}:
        return None
    depth = 0
    for token in tokens:
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if depth == 0:
            whole = token.end() == len(text) and token[0] in _CLOSING
            return (tokens[0][0], token[0], text[tokens[0].end() : token.start()]) if whole else None
    return None


def _caseless(form: str) -> str:
    """Words, two letters or more, in small letters; `R` and `r` are two variables."""
    return form.lower() if re.fullmatch(r"[a-zA-Z][-a-zA-Z' .]+", form) else form
