"""The final answer of a solution, found in its text by rule. Linear in the text, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

LONGEST = 1000
"""Characters of the longest answer that is read; no gold answer of GSM8K or MATH has more than 200."""

DEEPEST = 25
"""Brackets in brackets of the deepest answer that is read; parsers take exponential time in them."""

_TAIL = 20_000
"""Characters at the end of a solution that an own pattern is put to: it may take more than linear time."""

_BOX = re.compile(r"\\{1,2}(?:boxed|fbox)(?![a-zA-Z])\s*(?P<inside>\{|[^\s{}$]*)|\\.|[{}]", re.DOTALL)
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_NUMBER = re.compile(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?")

Rule = Callable[[str], str | None]


def boxed(text: str) -> str | None:
    r"""What is inside the `\boxed{}` or `\fbox{}` that closes last and holds something; `\boxed 5` counts, too.

    Escaped braces are no braces. One pass over a stack of open ones, so a million that never close cost no more.
    """
    answer = None
    opened: list[int | None] = []  # an open brace: where the box begins that it opens, or None
    for token in _BOX.finditer(text):
        inside = token["inside"]
        if inside == "{":
            opened.append(token.end())
        elif inside:
            answer = inside.rstrip(".,;") or answer
        elif token[0] == "{":
            opened.append(None)
        elif token[0] == "}" and opened and (start := opened.pop()) is not None:
            answer = text[start : token.start()].strip() or answer
    return answer


def hashes(text: str) -> str | None:
    """What follows the last `####` on its line, as in GSM8K."""
    start = text.rfind("####")
    return text[start + 4 :].partition("\n")[0].strip() or None if start >= 0 else None


def number(text: str) -> str | None:
    """The last number in the text: a fallback for solutions that do not say which number is their answer."""
    last = None
    for last in _NUMBER.finditer(text):  # noqa: B007  # the last one is wanted
        pass
    return last[0].rstrip(",") if last else None


RULES: dict[str, Rule] = {"boxed": boxed, "hashes": hashes, "number": number}


def pattern(expression: str) -> Rule:
    """A rule that takes the first group of the last match in the text's last 20,000 characters.

    Raises:
        ValueError: `expression` is no regular expression, or it has no group.
    """
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise ValueError(f"answer rule: expected a regular expression, got {expression!r}: {error}") from error
    if compiled.groups < 1:
        raise ValueError(f"answer rule: expected a regular expression with a group, got {expression!r}")

    return partial(_last_group, compiled)


def _last_group(compiled: re.Pattern[str], text: str) -> str | None:
    found = [match[1] for match in compiled.finditer(text[-_TAIL:]) if match[1]]
    return found[-1].strip() or None if found else None


def is_readable(answer: str) -> bool:
    """Whether an answer is short and flat enough to be read at all."""
    if len(answer) > LONGEST:
        return False
    depth = deepest = 0
    for char in answer:
        depth += _BRACKETS.get(char, 0)
        deepest = max(deepest, depth)
    return deepest <= DEEPEST


def extractor(rules: Sequence[str] = ("boxed",)) -> Rule:
    """One rule out of several, tried in order: names of `RULES` or regular expressions with a group.

    Raises:
        ValueError: A rule is neither.
    """
    return partial(_first_said, [RULES.get(rule) or pattern(rule) for rule in rules])


def _first_said(rules: Sequence[Rule], text: str) -> str | None:
    return next((answer for rule in rules if (answer := rule(text)) is not None), None)
