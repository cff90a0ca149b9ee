"""What is true of a story's solution: which steps are those that the story asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from regrow.tasks.arithmetic_templates import Operation, Story
from regrow.tasks.equation import parse_equation
from regrow.tasks.progress import progress_values
from regrow.tasks.task import ValuedSteps

_ANSWER = re.compile(r"answer ([0-9]{1,6})")


def parse_answer(step: str) -> int | None:
    """The number of `answer 7`; None if `step` is nothing of that form."""
    match = _ANSWER.fullmatch(" ".join(step.split()))
    return int(match[1]) if match else None


def values_of(story: Story, steps: Sequence[str]) -> ValuedSteps:
    """The exact values of any solution, right or wrong, or of the beginning of one."""
    remaining = steps_to_go(story, steps)
    return ValuedSteps(
        question=story.question,
        steps=tuple(steps),
        is_complete=bool(steps) and parse_answer(steps[-1]) is not None,
        values=progress_values(len(story.operations) + 1, remaining),
        reachable=tuple(steps_left is not None for steps_left in remaining),
    )


def steps_to_go(story: Story, steps: Sequence[str]) -> list[int | None]:
    """[K] the steps still to go after each step; None from the first wrong step on."""
    pending = dict(enumerate(story.operations))
    remaining: list[int | None] = []
    is_open = True
    for step in steps:
        left = _steps_left(story, pending, step) if is_open else None
        is_open = left is not None and left > 0
        remaining.append(left)
    return remaining


def _steps_left(story: Story, pending: dict[int, Operation], step: str) -> int | None:
    """The steps to go after `step`, which is struck off `pending`; None if it is wrong."""
    answer = parse_answer(step)
    if answer is not None:
        return 0 if answer == story.answer else None
    equation = parse_equation(step)
    for index, operation in pending.items():
        is_ready = operation.left_from not in pending and operation.right_from not in pending
        if is_ready and equation and equation.ordered() == operation.equation.ordered():
            del pending[index]
            return len(pending) + 1
    return None
