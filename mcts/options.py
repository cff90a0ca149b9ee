"""Options: what counts as one step of a search, and when two of them are too much alike to have both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz.distance import Levenshtein

from mcts.types import Continuation, Step, StepEnd


class Likeness(StrEnum):
    """How far apart two options are."""

    EDITS = "edits"
    """Characters to change (Levenshtein)."""
    SHARE = "share"
    """These, as a share of the longer option: from 0 to 1."""
    TOKENS = "tokens"
    """Share of their different words that only one of them has (Jaccard distance): from 0 to 1."""
    JUDGE = "judge"
    """How probably a judge says that they do not say the same: from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Merging:
    """State merge (AlphaLLM, arXiv 2404.12253, 4.3.3): an option that is like a sibling is drawn again.

    Nothing is merged, in spite of the name: of the draws, the one that is farthest from all siblings is kept.

    Attributes:
        likeness: Of `Likeness`.
        nearest: An option nearer to a sibling than this is drawn again: 20 or 50 characters in the paper; 0 never.
        redraws: How often at most.
    """

    likeness: str = Likeness.EDITS.value
    nearest: float = 0.0
    redraws: int = 5

    def __post_init__(self) -> None:
        if self.likeness not in list(Likeness):
            raise ValueError(f"merging.likeness={self.likeness}, expected one of {', '.join(Likeness)}")
        if self.nearest < 0 or self.redraws < 0:
            raise ValueError(f"{self}: expected nearest and redraws of 0 or more")

    def distance(self, option: Step, siblings: Sequence[Step]) -> float:
        """How far `option` is from the nearest of its siblings; infinity where there is none."""
        return min((self._between(option.text, sibling.text) for sibling in siblings), default=float("inf"))

    @property
    def asks_judge(self) -> bool:
        """Whether `distance` is a judge's to say, and not of the texts alone."""
        return self.nearest > 0 and self.likeness == Likeness.JUDGE

    def _between(self, one: str, other: str) -> float:
        if self.likeness == Likeness.EDITS:
            return float(Levenshtein.distance(one, other))
        if self.likeness == Likeness.SHARE:
            return float(Levenshtein.normalized_distance(one, other))
        words, others = set(one.split()), set(other.split())
        return 1.0 - len(words & others) / max(1, len(words | others))


NO_MERGING = Merging()
"""Every option is taken."""


@dataclass(frozen=True, slots=True)
class EndRule:
    """Where an option ends: at the policy's step delimiter, or only once it says something.

    Attributes:
        pattern: A regular expression that an option must have in it: a formula, for MATH. None takes every step.
        extensions: How often a step without it is gone on with: once in AlphaLLM's code.
        delimiter: What stands between the steps of an option.

    Raises:
        ValueError: `pattern` is no regular expression, or `extensions` is negative.
    """

    pattern: str | None = None
    extensions: int = 1
    delimiter: str = "\n\n"

    def __post_init__(self) -> None:
        if self.extensions < 0:
            raise ValueError(f"option.extensions={self.extensions}, expected 0 or more")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"option.pattern={self.pattern!r}: {error}, expected a regular expression") from error

    def wants_more(self, steps: Continuation) -> bool:
        """Whether an option of these steps goes on."""
        if self.pattern is None or steps[-1].end is not StepEnd.DELIMITER or len(steps) > self.extensions:
            return False
        return not any(re.search(self.pattern, step.text) for step in steps)

    def joined(self, steps: Continuation) -> Step:
        """One step of several: a node of the tree is an option."""
        if len(steps) == 1:
            return steps[0]
        return Step(
            text=self.delimiter.join(step.text for step in steps),
            token_ids=tuple(token for step in steps for token in step.token_ids),
            logprobs=tuple(logprob for step in steps for logprob in step.logprobs),
            end=steps[-1].end,
        )


EVERY_STEP = EndRule()
"""An option is a step."""
