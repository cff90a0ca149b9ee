"""Countdown: make the target from all of the numbers, one operation a step."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, islice

from mcts.types import Outcome, Problem
from regrow.tasks.countdown_slips import SLIPS, Slip
from regrow.tasks.countdown_truth import (
    Move,
    Numbers,
    is_reachable,
    makeable,
    moves,
    parse_move,
    play,
    solution,
)
from regrow.tasks.equation import canonical_key
from regrow.tasks.progress import progress_values
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import Demonstration, GradedProblem, Split, ValuedSteps

FEWEST, MOST = 2, 6
DRILL_SHARE = 0.4
"""The part of the demonstrations that drills one equation; the rest are whole games."""


class Countdown:
    """Questions such as `2 5 7 9 -> 24`, steps such as `9 - 4 = 5 : 2 5 7`: an operation and what it leaves.

    A solution of n numbers has n - 1 steps, the last of which leaves the target alone.
    Every result lies between 1 and `limit`.

    Args:
        numbers: How many numbers generated problems have, in equal parts as long as there are such problems.
        largest: Generated problems use the numbers 1 to `largest`.
        limit: The largest value that may occur anywhere.
    """

    name = "countdown"
    is_checkable = True

    def __init__(self, numbers: Sequence[int] = (3, 4), largest: int = 9, limit: int = 40) -> None:
        if not numbers or not all(FEWEST <= size <= MOST for size in numbers):
            raise ValueError(f"countdown.numbers: expected sizes from {FEWEST} to {MOST}, got {list(numbers)}")
        if not 4 <= largest <= limit <= 999:
            raise ValueError(f"countdown: expected 4 <= largest <= limit <= 999, got {largest=} {limit=}")
        self.numbers = tuple(dict.fromkeys(numbers))
        self.largest = largest
        self.limit = limit

    def words(self) -> tuple[str, ...]:
        """The numbers 0 to `limit` and the signs."""
        return (*map(str, range(self.limit + 1)), "+", "-", "*", "/", "=", ":", "->")

    def parse(self, question: str) -> str:
        """The question with its numbers in ascending order."""
        return _question(*self._read(question))

    def gold(self, answer: str) -> str:
        """As it stands."""
        return answer

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        """Distinct solvable problems, game sizes by turns; more of them begin with the same ones."""
        if count < 0:
            raise ValueError(f"countdown: expected count >= 0, got {count}")
        sources = [self._games(size, split, stream(self.name, split, seed, size)) for size in self.numbers]
        found = list(islice(_by_turns(sources), count))
        if len(found) < count:
            raise ValueError(
                f"countdown: expected count <= {len(found)}, all the {split} problems there are, got {count}"
            )
        return [_graded(numbers, target) for numbers, target in found]

    def is_training(self, question: str) -> bool:
        """By the hash of the question."""
        return split_of(question) is Split.TRAIN

    def demonstrations(self, count: int, seed: int) -> list[Demonstration]:
        """Drills of single equations, and games of uniformly random legal moves that are blind to the target.

        The target shown is drawn before the game and without regard to it, so that what is learned from the
        demonstrations is the language and the arithmetic, and a game hits its target by chance alone.
        """
        rng = stream(self.name, "demonstrations", seed)
        drills, games = self._drills(rng), self._blind_games(rng)
        return [next(drills if rng.random() < DRILL_SHARE else games) for _ in range(count)]

    def valued_steps(self, problems: Sequence[GradedProblem], seed: int) -> list[ValuedSteps]:
        """For every problem one clean solution and one solution broken off by each kind of slip."""
        valued = []
        for graded in problems:
            rng = stream(self.name, "valued steps", seed, graded.problem.id)
            numbers, target = self._read(graded.problem.question)
            clean = solution(numbers, target, self.limit, rng)
            valued.append(self.truth(graded, [move.text for move in clean]))
            for slip in SLIPS:
                broken = self._break_off(slip, numbers, target, rng)
                if broken:
                    valued.append(self.truth(graded, broken))
        return valued

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        """Follow the solution from the numbers to the gold answer. Unparsed if one of its steps is no move."""
        numbers, target = self._read(graded.problem.question)
        parsed = [parse_move(step) for step in steps]
        if not parsed or None in parsed:
            return Outcome.UNPARSED
        if graded.answer != str(target):
            return Outcome.WRONG
        remaining = self._remaining(numbers, target, parsed)
        return Outcome.CORRECT if remaining[-1] == 0 else Outcome.WRONG

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        """Whether the steps turn all of the problem's numbers into its target."""
        _, target = self._read(problem.question)
        return self.verify(GradedProblem(problem, str(target)), steps) is Outcome.CORRECT

    def answer(self, steps: Sequence[str]) -> str | None:
        """The number that the last step claims to leave alone."""
        last = parse_move(steps[-1]) if steps else None
        return str(last.left[0]) if last and len(last.left) == 1 else None

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps:
        """Exact values: a step is right as long as every step was legal and true and the target stays in reach."""
        numbers, target = self._read(graded.problem.question)
        parsed = [parse_move(step) for step in steps]
        remaining = self._remaining(numbers, target, parsed)
        return ValuedSteps(
            question=_question(numbers, target),
            steps=tuple(steps),
            is_complete=bool(parsed) and parsed[-1] is not None and len(parsed[-1].left) == 1,
            values=progress_values(len(numbers) - 1, remaining),
            reachable=tuple(steps_left is not None for steps_left in remaining),
        )

    def canonical(self, steps: Sequence[str]) -> str:
        """The multiset of operations: what a right step leaves follows from it, but differs with the order."""
        return canonical_key(move.equation if (move := parse_move(step)) else f"no move: {step}" for step in steps)

    def _remaining(self, numbers: Numbers, target: int, parsed: Sequence[Move | None]) -> list[int | None]:
        """[K] the steps still to go after each step; None from the first wrong step on."""
        remaining: list[int | None] = []
        position: Numbers | None = numbers
        for move in parsed:
            after = play(position, move, self.limit) if position and move else None
            position = after if after and is_reachable(after, target, self.limit) else None
            remaining.append(len(position) - 1 if position else None)
        return remaining

    def _break_off(self, slip: Slip, numbers: Numbers, target: int, rng: random.Random) -> list[str]:
        """The beginning of a random solution with a slip as its last step; empty if none is possible anywhere."""
        path = solution(numbers, target, self.limit, rng)
        positions = [numbers, *(move.left for move in path[:-1])]
        for depth in rng.sample(range(len(path)), len(path)):
            text = slip(positions[depth], target, self.limit, rng)
            if text is not None:
                return [*(move.text for move in path[:depth]), text]
        return []

    def _read(self, question: str) -> tuple[Numbers, int]:
        left, arrow, right = question.partition("->")
        words = left.split()
        values = [int(w) if w.isascii() and w.isdigit() and len(w) < 4 else 0 for w in [*words, *right.split()]]
        if not (
            arrow
            and FEWEST <= len(words) <= MOST
            and len(values) == len(words) + 1
            and all(1 <= value <= self.limit for value in values)
        ):
            raise ValueError(
                f"countdown question: expected {FEWEST} to {MOST} numbers from 1 to {self.limit}, '->' and a target, "
                f"such as '2 5 7 9 -> 24', got {question!r}"
            )
        return tuple(sorted(values[:-1])), values[-1]

    def _games(self, size: int, split: Split, rng: random.Random) -> Iterator[tuple[Numbers, int]]:
        """Every problem of one size once: each set of numbers in random order with one target, then again."""
        pending = list(combinations_with_replacement(range(1, self.largest + 1), size))
        rng.shuffle(pending)
        targets: dict[Numbers, list[int]] = {}
        while pending:
            ready = []
            for numbers in pending:
                if numbers not in targets:
                    values = [t for t in makeable(numbers, self.limit) if split_of(_question(numbers, t)) is split]
                    targets[numbers] = rng.sample(values, len(values))
                if targets[numbers]:
                    yield numbers, targets[numbers].pop()
                    ready.append(numbers)
            pending = ready

    def _drills(self, rng: random.Random) -> Iterator[Demonstration]:
        """Every legal operation of two numbers up to `limit`, over and over, each pass in random order."""
        values = range(1, self.limit + 1)
        deck = [move for pair in combinations_with_replacement(values, 2) for move in moves(pair, self.limit)]
        while True:
            for move in rng.sample(deck, len(deck)):
                pair = (move.equation.right, move.equation.left)
                question = _blind_question(pair, values, rng)
                if question is not None:
                    yield Demonstration(question, (move.text,))

    def _blind_games(self, rng: random.Random) -> Iterator[Demonstration]:
        while True:
            size = rng.choice(self.numbers)
            numbers = tuple(sorted(rng.choices(range(1, self.largest + 1), k=size)))
            question = _blind_question(numbers, makeable(numbers, self.limit), rng)
            if question is None:
                continue
            steps = []
            while len(numbers) > 1:
                move = rng.choice(moves(numbers, self.limit))
                steps.append(move.text)
                numbers = move.left
            yield Demonstration(question, tuple(steps))


def _question(numbers: Numbers, target: int) -> str:
    return f"{' '.join(map(str, numbers))} -> {target}"


def _blind_question(numbers: Numbers, targets: Sequence[int], rng: random.Random) -> str | None:
    """A training question with one of `targets`, drawn without regard to any move; None if none is of that split."""
    for target in rng.sample(targets, len(targets)):
        question = _question(numbers, target)
        if split_of(question) is Split.TRAIN:
            return question
    return None


def _graded(numbers: Numbers, target: int) -> GradedProblem:
    question = _question(numbers, target)
    return GradedProblem(Problem(problem_id(Countdown.name, question), question), str(target))


def _by_turns(sources: Sequence[Iterator[tuple[Numbers, int]]]) -> Iterator[tuple[Numbers, int]]:
    """One item of each source by turns; a source that runs dry drops out."""
    waiting = deque(sources)
    while waiting:
        source = waiting.popleft()
        for item in islice(source, 1):
            yield item
            waiting.append(source)
