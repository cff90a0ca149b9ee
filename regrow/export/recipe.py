"""What an export is told, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

from policy.prompts import PromptFormat


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
