"""What an export is told, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

from policy.prompts import PromptFormat
from regrow.solutions import Solution, StepPair, solutions, step_pairs
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Recipe:
    """How trees become rows.

    Attributes:
        prompt: How a question is put to a policy. PRMs are shown the bare question.
        task: The task's name.
        labels: Which labels are values: `soft`, `hard`, `progress` or `simple`. Where a format wants good or bad, the
            hard label says so, whatever this is.
        per_problem: At most so many correct solutions, as many wrong ones, and as many pairs; None for all.
        margin: By how much the values of two sibling steps must differ for one to be preferred.
        split: Name of the split that the rows make up.
        date: Seconds since 1970: when the traces were written.
        seed: Of the choice where there are more than `per_problem`.
    """

    prompt: PromptFormat
    task: str
    labels: str = "soft"
    per_problem: int | None = 4
    margin: float = 0.5
    split: str = "train"
    date: float = 0.0
    seed: int = 0

    def solutions(self, verified: VerifiedTree) -> tuple[list[Solution], list[Solution]]:
        """The correct solutions of a tree and the wrong ones, as many as are wanted."""
        return solutions(verified, per_problem=self.per_problem, seed=self.seed)

    def step_pairs(self, verified: VerifiedTree) -> list[StepPair]:
        """The best step and the worst at states of a tree, as many as are wanted."""
        return step_pairs(
            verified, labels=self.labels, margin=self.margin, per_problem=self.per_problem, seed=self.seed
        )
