"""Which solutions a data set keeps of a tree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rapidfuzz.fuzz import ratio

from mcts.seeds import seed_of
from mcts.types import Outcome
from regrow.tasks.task import Task
from regrow.verified import VerifiedTree

CORRECT, ALL = "correct", "all"
KEEP = (CORRECT, ALL)
"""Which solutions a data set has."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which solutions of a problem are kept.

    Attributes:
        keep: `correct` or `all`.
        per_problem: Most solutions of a problem, chosen by a hash; None keeps all.
        near_duplicate: Similarity of two solutions, from 0 to 1, from which on the later one is dropped: one minus the
            indel distance over the length of both. None drops equal ones only.

    Raises:
        ValueError: A setting that cannot be.
    """

    keep: str = CORRECT
    per_problem: int | None = 8
    near_duplicate: float | None = 0.97

    def __post_init__(self) -> None:
        if self.keep not in KEEP:
            raise ValueError(f"keep={self.keep}, expected one of {', '.join(KEEP)}")
        if self.per_problem is not None and self.per_problem < 1:
            raise ValueError(f"per_problem={self.per_problem}, expected at least 1")
        if self.near_duplicate is not None and not 0 < self.near_duplicate <= 1:
            raise ValueError(f"near_duplicate={self.near_duplicate}, expected more than 0 and up to 1")

    def of(self, verified: VerifiedTree, task: Task, seed: int, dropped: Counter[str]) -> list[int]:
        """The final nodes that are kept, in order of creation; counts in `dropped` what is not, and why."""
        wanted = [node for node, outcome in sorted(verified.outcomes.items()) if outcome is Outcome.CORRECT]
        if self.keep == ALL:
            wanted = sorted(verified.outcomes)
        forms: dict[str, int] = {}
        for node in wanted:
            form = task.canonical([step.text for step in verified.tree.path(node)])
            if form in forms:
                dropped["duplicates"] += 1
            elif self._is_near(form, forms):
                dropped["near duplicates"] += 1
            else:
                forms[form] = node
        chosen = sorted(forms, key=lambda form: seed_of(seed, verified.tree.problem.id, form))[: self.per_problem]
        dropped["over the cap"] += len(forms) - len(chosen)
        return sorted(forms[form] for form in chosen)

    def _is_near(self, form: str, forms: dict[str, int]) -> bool:
        if self.near_duplicate is None:
            return False
        return any(ratio(form, other, score_cutoff=100 * self.near_duplicate) for other in forms)
