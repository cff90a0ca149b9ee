"""What a policy of arithmetic can be asked beside problems: to make new ones, and to judge solutions.

A prompt is put where a problem is put, and its answer is a single step: a question, or `yes` or `no`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PROMPTS: Mapping[str, str] = {
    "rephrase": "rephrase : {question}",
    "numbers": "change numbers : {question}",
    "backward": "backward : {question}",
    "new": "new problem",
    "like": "another like : {question}",
    "solved": "is it solved ? {question} ; {steps}",
    "right": "is it right ? {question} ; {steps}",
}
"""Way to template: a new question is asked for, or a solution is judged; steps stand between `;`.

`rephrase`: the same computation in other words. `numbers`: the same sentences with other numbers. `backward`: the
first number is sought, and the answer told. `new`: any problem. `like`: a problem of much the same sentences. `solved`:
whether the beginning of a solution is right and leaves nothing but the answer to say. `right`: whether a finished
solution is, every step of it.
"""

YES, NO = "yes", "no"

_PATTERNS = tuple(
    re.compile(
        re.escape(template).replace(r"\{question\}", "(?P<question>[^:;]+)").replace(r"\{steps\}", "(?P<steps>.+)")
    )
    for template in PROMPTS.values()
)
_PLACES = re.compile(r"\{[a-z]+\}")

PROMPT_WORDS = tuple(
    dict.fromkeys([*(word for text in PROMPTS.values() for word in _PLACES.sub("", text).split()), YES, NO])
)
"""The words of the templates and of verdicts."""


class Prompt(NamedTuple):
    """The parts of a prompt, empty where it has none: the question it is about, and steps with their marks."""

    question: str
    steps: str


def write_prompt(way: str, question: str = "", steps: Sequence[str] = ()) -> str:
    """The prompt of a way about a question, and about a solution where it judges one."""
    return PROMPTS[way].format(question=question, steps=" ; ".join(steps))


def read_prompt(text: str) -> Prompt | None:
    """The parts of a prompt; None if `text` is none. Its words must stand between single spaces."""
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            return Prompt(parts.get("question", "").strip(), parts.get("steps", "").strip())
    return None
