"""Equality of values by computer algebra: math-verify with its known traps closed. Runs in a worker, never elsewhere.

Of a model's text only math-verify's LaTeX grammar is asked; its plain-text parser, which evaluates, is not.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

import sympy
from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig

from regrow.grader.compare import plainly
from regrow.grader.shape import Kind, Shape
from regrow.grader.tidy import TRIG, leaf_text

# Units are off: math-verify's would take 5c and 5d for 5.
_LATEX = LatexExtractionConfig(
    boxed_match_priority=-1,
    normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none"),
)
_COMMAND = re.compile(r"\\[a-zA-Z]+|[^a-zA-Z]")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\^\\circ")

_DIGITS = 30
_EXACT, _ROUNDED = 1e-12, 1e-6
"""Relative differences up to which exact and decimal values may pass as equal."""

for name in ("math_verify", "latex2sympy2_extended"):  # both warn that their time-outs are off
    logging.getLogger(name).setLevel(logging.ERROR)


class UnreadableError(ValueError):
    """An answer that is no mathematics."""


def algebraically(gold: Shape, answer: Shape) -> bool:
    """Judge two values. math-verify is not symmetric: gold comes first, and decides in which form an answer counts.

    Raises:
        UnreadableError: The grammar cannot read the answer; a gold answer that it cannot read equals nothing else.
    """
    verdict = plainly(gold, answer)
    if verdict is not None:
        return verdict
    expected, found = _expression(_source(gold, answer)), _expression(_source(answer, gold))
    if found is None:
        raise UnreadableError(answer.text)
    if expected is None:
        return False
    if not _is_near(expected, found) or _differ_in_case(gold.form, answer.form):
        return False
    return bool(verify(expected, found, timeout_seconds=None, allow_set_relation_comp=True))


def _source(shape: Shape, other: Shape) -> str:
    """LaTeX of a shape: without `y =` where the other is a value, whole where it is an equation, too."""
    is_value = not other.name and "=" not in other.form
    return shape.form if shape.kind is Kind.LEAF and is_value else leaf_text(shape.text)


@lru_cache(maxsize=256)
def _expression(latex: str) -> Any:
    """What math-verify reads; None if nothing."""
    if TRIG.search(latex):
        latex = _DEGREES.sub(r"(\\frac{\1\\pi}{180})", latex)
    found = parse(f"${latex}$", [_LATEX], fallback_mode="no_fallback", parsing_timeout=None)
    return found[0] if found else None


def _is_near(gold: Any, answer: Any) -> bool:
    """Whether two numbers are near in proportion to their size; math-verify takes 1e-20 for 1e-30. True of all else."""
    if not all(isinstance(value, sympy.Expr) and value.is_number for value in (gold, answer)):
        return True
    left, right = (sympy.N(value, _DIGITS) for value in (gold, answer))
    size = max(abs(left), abs(right))
    if not (left.is_finite and right.is_finite) or size == 0:
        return bool(left == right)
    decimal = gold.has(sympy.Float) or answer.has(sympy.Float)
    return bool(abs(left - right) <= (_ROUNDED if decimal else _EXACT) * size)


def _differ_in_case(gold: str, answer: str) -> bool:
    """Whether the variables are the same but for capitals, of which math-verify knows nothing."""
    left, right = (set(_COMMAND.sub(" ", form)) for form in (gold, answer))
    return left != right and {*map(str.lower, left)} == {*map(str.lower, right)}
