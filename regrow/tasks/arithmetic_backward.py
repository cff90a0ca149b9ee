"""Questions asked backwards: the answer is told, and the first number is sought.

FOBAR, arXiv 2309.12284 (MetaMath), section 3.
"""

from __future__ import annotations

import re

from regrow.tasks.arithmetic_templates import LARGEST, NUMBERS, Language, Operation, Story, read
from regrow.tasks.equation import Equation

BACKWARD_WORDS = ("the", "answer", "is", "what", "x")
"""The words of a backward question beside those of its story."""

_TOLD = re.compile(r"(.*\bx\b.*) the answer is [0-9]{1,2} \. what is x \?")
_UNDONE_BY = {"+": "-", "-": "+", "*": "/", "/": "*"}


def turn_around(story: Story) -> Story:
    """The story with `x` for its first number, and its answer told behind it: what is x?"""
    words = story.question.split()
    first = next(place for place, word in enumerate(words) if word in NUMBERS)
    words[first] = "x"
    question = f"{' '.join(words)} the answer is {story.answer} . what is x ?"
    return Story(question, _undone(story.operations))


def read_backward(question: str, language: Language) -> Story | None:
    """The backward question's computation, from the told answer to x; None if no x from 1 to 99 gives that answer."""
    story = told_story(question, language)
    return None if story is None else turn_around(story)


def told_story(question: str, language: Language) -> Story | None:
    """The story that a backward question turns around; None as above.

    It is the only one: every answer rises with its first number.
    """
    told = _TOLD.fullmatch(question)
    if told is None:
        return None
    stories = (read(re.sub(r"\bx\b", str(x), told[1]), language) for x in range(1, LARGEST + 1))
    return next((story for story in stories if story is not None and turn_around(story).question == question), None)


def _undone(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations that led to the result undone one by one, from the last; a product is made where it is needed."""
    undone: list[Operation] = []
    last: int | None = None
    at: int | None = len(operations) - 1
    while at is not None:
        (left, sign, right, result), left_from, right_from, clarity = operations[at]
        if right_from is not None:
            undone.append(operations[right_from])
        product = None if right_from is None else len(undone) - 1
        undone.append(Operation(Equation(result, _UNDONE_BY[sign], right, left), last, product, clarity))
        last = len(undone) - 1
        at = left_from
    return tuple(undone)
