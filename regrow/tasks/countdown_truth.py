"""The exact truth about countdown games: the rules, and a solver that says which targets are still in reach."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

from regrow.tasks.equation import SIGNS, Equation, evaluate, parse_equation

Numbers = tuple[int, ...]
"""The numbers of a position, in ascending order."""


class Move(NamedTuple):
    """One step of a game: an operation and the numbers it claims to leave."""

    equation: Equation
    left: Numbers

    @property
    def text(self) -> str:
        """The step in words, such as `9 - 4 = 5 : 2 5 7`."""
        return f"{self.equation.text} : {' '.join(map(str, self.left))}"


def parse_move(text: str) -> Move | None:
    """Read a step; None if `text` is not an equation, a colon and at least one number."""
    head, colon, tail = text.partition(":")
    equation = parse_equation(head)
    words = tail.split()
    if not (equation and colon and words and all(w.isascii() and w.isdigit() and len(w) <= 6 for w in words)):
        return None
    return Move(equation, tuple(map(int, words)))


def without(numbers: Numbers, *gone: int) -> Numbers | None:
    """`numbers` less each of `gone` once; None if one of them is not there."""
    rest = list(numbers)
    for number in gone:
        if number not in rest:
            return None
        rest.remove(number)
    return tuple(rest)


def play(numbers: Numbers, move: Move, limit: int) -> Numbers | None:
    """The position after `move`; None unless the move is legal, its equation true and the numbers left right.

    Judges truth, not form: the operands of sums and products and the numbers left may stand in any order.
    """
    equation = move.equation
    rest = without(numbers, equation.left, equation.right)
    if rest is None or not equation.is_true or not 1 <= equation.result <= limit:
        return None
    after = tuple(sorted((*rest, equation.result)))
    return after if after == tuple(sorted(move.left)) else None


@lru_cache(maxsize=1 << 16)
def moves(numbers: Numbers, limit: int) -> tuple[Move, ...]:
    """Every distinct legal move, larger operand first; never empty while two numbers are left.

    Results lie between 1 and `limit`. Without 0 every division by a number at hand is defined, and every
    position can be played on: two equal numbers, whose difference is not legal, still have the quotient 1.
    """
    pairs = {(big, small) for i, big in enumerate(numbers) for small in numbers[:i]}
    found = []
    for big, small in sorted(pairs):
        rest = without(numbers, big, small)
        assert rest is not None
        for sign in SIGNS:
            result = evaluate(big, sign, small)
            if result is not None and 1 <= result <= limit:
                found.append(Move(Equation(big, sign, small, result), tuple(sorted((*rest, result)))))
    return tuple(found)


@lru_cache(maxsize=1 << 17)
def winning_moves(numbers: Numbers, target: int, limit: int) -> tuple[Move, ...]:
    """The legal moves after which `target` can still be reached."""
    return tuple(move for move in moves(numbers, limit) if is_reachable(move.left, target, limit))


def is_reachable(numbers: Numbers, target: int, limit: int) -> bool:
    """Whether legal moves can turn `numbers` (ascending, all of them used) into `target`."""
    return target >= 0 and bool(_makeable(numbers, limit) >> target & 1)


def makeable(numbers: Numbers, limit: int) -> tuple[int, ...]:
    """Every value that `numbers` (ascending, all of them used) can be turned into, in ascending order."""
    return tuple(_bits(_makeable(numbers, limit)))


def solution(numbers: Numbers, target: int, limit: int, rng: random.Random) -> tuple[Move, ...]:
    """A random solution: uniform over the winning moves at every position.

    Raises:
        ValueError: `target` cannot be reached.
    """
    path: list[Move] = []
    while len(numbers) > 1:
        winning = winning_moves(numbers, target, limit)
        if not winning:
            raise ValueError(f"countdown: {target} cannot be reached from {' '.join(map(str, numbers))}")
        path.append(rng.choice(winning))
        numbers = path[-1].left
    return tuple(path)


@lru_cache(maxsize=1 << 18)
def _makeable(numbers: Numbers, limit: int) -> int:
    """Makeable values as a bit set: bit v stands for the value v.

    A game is a binary tree of operations, and its last operation joins what two complementary parts of the
    numbers make; so the parts are solved once each, instead of every order in which the tree can be played.
    """
    if len(numbers) == 1:
        return 1 << numbers[0]
    everything = (1 << limit + 1) - 2
    values = 0
    for chosen in range(1, 1 << len(numbers) - 1):  # the last number is never chosen: each split comes once
        part = tuple(n for i, n in enumerate(numbers) if chosen >> i & 1)
        rest = tuple(n for i, n in enumerate(numbers) if not chosen >> i & 1)
        values |= _join(_makeable(part, limit), _makeable(rest, limit), limit)
        if values == everything:
            break
    return values


@lru_cache(maxsize=1 << 16)
def _join(left: int, right: int, limit: int) -> int:
    values = 0
    for a in _bits(left):
        for b in _bits(right):
            values |= _results(max(a, b), min(a, b), limit)
    return values


@lru_cache(maxsize=1 << 16)
def _results(big: int, small: int, limit: int) -> int:
    results = (evaluate(big, sign, small) for sign in SIGNS)
    return sum({1 << result for result in results if result is not None and 1 <= result <= limit})


def _bits(values: int) -> list[int]:
    return [value for value in range(values.bit_length()) if values >> value & 1]
