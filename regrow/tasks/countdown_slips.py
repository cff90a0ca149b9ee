"""Slips: the ways in which a countdown step goes wrong, for process reward models to learn from."""

from __future__ import annotations

import random
from collections.abc import Callable

from regrow.tasks.countdown_truth import Move, Numbers, is_reachable, moves, without
from regrow.tasks.equation import Equation

Slip = Callable[[Numbers, int, int, random.Random], str | None]
"""Makes a wrong step at a position, from (numbers, target, limit, rng); None if this slip cannot happen there."""


def false_equation(numbers: Numbers, target: int, limit: int, rng: random.Random) -> str:
    """A legal move with a false result; the last step of a game often claims the target, as weak policies do."""
    equation = rng.choice(moves(numbers, limit)).equation
    wrong = [value for value in range(1, limit + 1) if value != equation.result]
    near = [value for value in wrong if abs(value - equation.result) <= 3]
    result = rng.choice(near if rng.random() < 0.5 else wrong)
    if len(numbers) == 2 and equation.result != target and rng.random() < 0.5:
        result = target
    rest = without(numbers, equation.left, equation.right)
    assert rest is not None
    return Move(equation._replace(result=result), tuple(sorted((*rest, result)))).text


def wrong_numbers(numbers: Numbers, target: int, limit: int, rng: random.Random) -> str | None:
    """A true equation of numbers that are not there, or true and legal with the wrong numbers left."""
    return rng.choice((_foreign_operand, _wrong_left))(numbers, limit, rng)


def hopeless(numbers: Numbers, target: int, limit: int, rng: random.Random) -> str | None:
    """A legal and true move after which the target is out of reach; None if there is no such move."""
    lost = [move for move in moves(numbers, limit) if not is_reachable(move.left, target, limit)]
    return rng.choice(lost).text if lost else None


SLIPS: tuple[Slip, ...] = (false_equation, wrong_numbers, hopeless)


def _foreign_operand(numbers: Numbers, limit: int, rng: random.Random) -> str | None:
    kept, _, *rest = rng.sample(numbers, len(numbers))
    foreign = [value for value in range(1, limit + 1) if value not in numbers]
    if not foreign:
        return None
    pair = tuple(sorted((kept, rng.choice(foreign))))
    equation: Equation = rng.choice(moves(pair, limit)).equation
    return Move(equation, tuple(sorted((*rest, equation.result)))).text


def _wrong_left(numbers: Numbers, limit: int, rng: random.Random) -> str:
    move = rng.choice(moves(numbers, limit))
    left = list(move.left)
    place = rng.randrange(len(left))
    match rng.choice(("change", "keep", "lose")):
        case "keep":
            left.append(rng.choice((move.equation.left, move.equation.right)))
        case "lose" if len(left) > 1:
            del left[place]
        case _:
            left[place] = rng.choice([value for value in range(1, limit + 1) if value != left[place]])
    return Move(move.equation, tuple(sorted(left))).text
