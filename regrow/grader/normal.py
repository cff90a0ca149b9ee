"""The normal form of an answer: a string in which answers that are plainly equal are equal."""

from __future__ import annotations

from regrow.grader.answers import is_readable
from regrow.grader.shape import read_shape


def normal_form(answer: str) -> str:
    r"""A key to vote and to deduplicate by. Cheap: no algebra, and no power is computed.

    Numbers are exact: `0.5`, `1/2` and `\frac12` are one, and so are `1,000` and `\$1000.0`. Units, a name (`x =`),
    degrees and the percent sign are dropped (`50\%` is 50, as answers come with and without it), words are in small
    letters, sets and lists are sorted, digits of every script are digits. What is too long or
    too deep to be read stays as it is.
    """
    return read_shape(answer).normal if is_readable(answer) else answer
