"""What a policy is taught: a solution, a preference between two, or a solution with its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.errors import InputError
from policy.examples import Example


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference: two ways to go on from one prompt.

    What both have in common (the question; the steps before two siblings) belongs to the prompt: not in the loss masks.

    Attributes:
        chosen: The better way.
        rejected: The worse way.
        preference: Probability that the chosen one is the better; 1 is DPO's.
        chosen_rewards: [T] reward of each token of `chosen`, for T-REG; empty where there are none.
        rejected_rewards: [T] likewise of `rejected`.
    """

    chosen: Example
    rejected: Example
    preference: float = 1.0
    chosen_rewards: tuple[float, ...] = ()
    rejected_rewards: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.preference <= 1.0:
            raise InputError(f"pair: preference {self.preference}, expected a probability in [0, 1]")
        for name in ("chosen", "rejected"):
            rewards, tokens = getattr(self, f"{name}_rewards"), getattr(self, name).token_ids
            if rewards and len(rewards) != len(tokens):
                raise InputError(f"pair: {len(rewards)} {name}_rewards of {len(tokens)} tokens, expected one each")


@dataclass(frozen=True, slots=True)
class Judged:
    """A solution with its verdict."""

    example: Example
    is_good: bool


Lesson = Example | Pair | Judged
"""All lessons of one training are of one kind."""


def examples_of(lesson: Lesson) -> tuple[Example, ...]:
    """The sequences that a lesson holds."""
    match lesson:
        case Example():
            return (lesson,)
        case Pair():
            return (lesson.chosen, lesson.rejected)
        case Judged():
            return (lesson.example,)
