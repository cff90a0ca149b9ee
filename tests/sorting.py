"""A task that tiny models learn in seconds: put three numbers in order, one a step, with idle steps between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from mcts.types import Outcome, Problem
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import Demonstration, GradedProblem, Split, ValuedSteps

LARGEST = 12
IDLE = "wait"
IDLENESS = 0.3
"""Chance of an idle step before each other one, in what a base policy learns."""


class Sorting:
    """Questions such as `7 2 11`; steps such as `2`, in ascending order, and `wait`, which says nothing."""

    name = "sorting"
    is_checkable = False

    def words(self) -> tuple[str, ...]:
        return (*map(str, range(LARGEST + 1)), IDLE)

    def parse(self, question: str) -> str:
        return question

    def gold(self, answer: str) -> str:
        return answer

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        questions = [" ".join(map(str, three)) for three in permutations(range(LARGEST + 1), 3)]
        found = [question for question in questions if split_of(question) is split]
        if count > len(found):
            raise ValueError(f"sorting: expected count <= {len(found)}")
        chosen = stream(self.name, split, seed).sample(found, len(found))[:count]
        return [GradedProblem(Problem(problem_id(self.name, one), one), _in_order(one)) for one in chosen]

    def is_training(self, question: str) -> bool:
        return split_of(question) is Split.TRAIN

    def demonstrations(self, count: int, seed: int) -> list[Demonstration]:
        """In any order: how to speak, not how to sort."""
        rng = stream(self.name, "demonstrations", seed)
        questions = [graded.problem.question for graded in self.problems(Split.TRAIN, 1000, 0)]
        drawn = [rng.choice(questions) for _ in range(count)]
        return [Demonstration(one, _idly(rng.sample(one.split(), 3), rng)) for one in drawn]

    def valued_steps(self, problems: Sequence[GradedProblem], seed: int) -> list[ValuedSteps]:
        """Each problem's solution, and one in another order."""
        rng = stream(self.name, "valued", seed)
        valued = []
        for graded in problems:
            right = graded.answer.split()
            for steps in (right, rng.sample(right, 3)):
                told = self.truth(graded, _idly(steps, rng))
                assert told is not None
                valued.append(told)
        return valued

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        return Outcome.CORRECT if self.answer(steps) == graded.answer else Outcome.WRONG

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        raise NotImplementedError

    def answer(self, steps: Sequence[str]) -> str:
        return " ".join(step for step in steps if step != IDLE)

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps:
        said = [self.answer(steps[: k + 1]).split() for k in range(len(steps))]
        reachable = tuple(one == graded.answer.split()[: len(one)] for one in said)
        values = tuple(float(is_right) * len(one) / 3 for one, is_right in zip(said, reachable, strict=True))
        return ValuedSteps(graded.problem.question, tuple(steps), True, values, reachable)

    def canonical(self, steps: Sequence[str]) -> str:
        return self.answer(steps)


def _in_order(question: str) -> str:
    return " ".join(sorted(question.split(), key=int))


def _idly(steps, rng) -> tuple[str, ...]:
    return tuple(word for step in steps for word in ((IDLE, step) if rng.random() < IDLENESS else (step,)))
