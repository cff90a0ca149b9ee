"""Slips in arithmetic: how demonstrators misread stories, and how steps go wrong for reward models to learn from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from regrow.tasks.arithmetic_templates import LARGEST, Operation, Story
from regrow.tasks.equation import SIGNS, Equation, evaluate

Slip = Callable[[Story, random.Random], list[str]]
"""The beginning of a story's solution with a wrong last step."""

_RIVALS = {"+": "-", "-": "+", "*": "+", "/": "-"}
"""What a sign is most often mistaken for."""
_RIVAL_SHARE = 0.7


def misread(story: Story, rng: random.Random) -> tuple[str, ...]:
    """Solve a story as a demonstrator who calculates without fault but reads each sentence right by its clarity.

    What is misread becomes another operation on the same operands or, more rarely, any true equation of numbers
    at hand; the demonstrator goes on with its result, and answers with the last.
    """
    said: list[int] = []
    steps = []
    for operation in story.operations:
        equation = _reading(operation, story.numbers, said, rng)
        said.append(equation.result)
        steps.append(equation.text)
    return (*steps, f"answer {said[-1]}")


def false_equation(story: Story, rng: random.Random) -> list[str]:
    """The operation that is due, with a false result: half of them near the true one."""
    depth = rng.randrange(len(story.operations))
    equation = story.operations[depth].equation
    result = _other_number(equation.result, rng)
    return [*_clean(story, depth), equation._replace(result=result).text]


def wrong_operation(story: Story, rng: random.Random) -> list[str]:
    """A true equation of numbers at hand that the story does not ask for."""
    depth = rng.randrange(len(story.operations))
    pending = [operation.equation for operation in story.operations[depth:]]
    asked = {equation.ordered() for equation in pending}
    results = [operation.equation.result for operation in story.operations[:depth]]
    rival = _equation(pending[0].left, _RIVALS[pending[0].sign], pending[0].right)
    others = [e for e in _equations([*story.numbers, *results]) if e.ordered() not in asked]
    if rival is not None and rival.ordered() not in asked and (not others or rng.random() < 0.5):
        return [*_clean(story, depth), rival.text]
    return [*_clean(story, depth), rng.choice(others).text] if others else false_equation(story, rng)


def wrong_answer(story: Story, rng: random.Random) -> list[str]:
    """A number of the story or an earlier result given as the answer, too early or at the end, or a near miss."""
    depth = rng.choice((len(story.operations), rng.randrange(len(story.operations))))
    results = [operation.equation.result for operation in story.operations[:depth]]
    known = [number for number in (*story.numbers, *results) if number != story.answer]
    use_known = bool(known) and (depth < len(story.operations) or rng.random() < 0.5)
    answer = rng.choice(known) if use_known else _other_number(story.answer, rng)
    return [*_clean(story, depth), f"answer {answer}"]


SLIPS: tuple[Slip, ...] = (false_equation, wrong_operation, wrong_answer)


def _reading(operation: Operation, numbers: Sequence[int], said: Sequence[int], rng: random.Random) -> Equation:
    """The equation that a demonstrator reads; `said` are the results they have come to, right or wrong."""
    meant = operation.equation
    left = meant.left if operation.left_from is None else said[operation.left_from]
    right = meant.right if operation.right_from is None else said[operation.right_from]
    equation = None
    if rng.random() < operation.clarity:
        equation = _equation(left, meant.sign, right)
    elif rng.random() < _RIVAL_SHARE:
        equation = _equation(left, _RIVALS[meant.sign], right)
    return equation or rng.choice(_equations([*numbers, *said]))


def _equation(left: int, sign: str, right: int) -> Equation | None:
    """The true equation, if its result is a whole number from 0 to 99."""
    result = evaluate(left, sign, right)
    return None if result is None or not 0 <= result <= LARGEST else Equation(left, sign, right, result)


def _equations(numbers: Sequence[int]) -> list[Equation]:
    """Every distinct true equation of two of `numbers`, larger operand first; never empty for two numbers."""
    pairs = {(max(a, b), min(a, b)) for i, a in enumerate(numbers) for b in numbers[:i]}
    found = (_equation(big, sign, small) for big, small in sorted(pairs) for sign in SIGNS)
    return [equation for equation in found if equation is not None]


def _other_number(number: int, rng: random.Random) -> int:
    others = [other for other in range(LARGEST + 1) if other != number]
    return rng.choice([other for other in others if abs(other - number) <= 3] if rng.random() < 0.5 else others)


def _clean(story: Story, depth: int) -> list[str]:
    return [operation.equation.text for operation in story.operations[:depth]]
