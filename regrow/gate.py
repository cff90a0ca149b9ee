"""The gate: a round's new models are kept unless they are worse than those they would replace.

What is compared are scores of validation problems, the same for both, so that a problem's difficulty cancels out. The
trial that makes the scores is in `regrow/trial.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError
from mcts.tree import ROOT
from mcts.types import Outcome
from regrow.comparison import Comparison, compare
from regrow.verified import VerifiedTree

POLICY, PRM = "policy", "prm"
LEAST = 6
"""Problems that must tell: of fewer, not even one sign for all is evidence (a two-sided sign test at 5 %)."""
MEASURES = {POLICY: "of sampled solutions right", PRM: "of right and wrong steps in the right order"}
"""Model -> what its score says."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What new models have to show.

    Attributes:
        policy: Whether new policies have to pass.
        prm: Whether new PRMs have to.
        problems: Validation problems that models are compared on.
        samples: Solutions drawn from a policy for each of them.
        confidence: Of the two-sided interval of the difference between new and old.
        margin: By how much a new model's score may be worse.

    Raises:
        ValueError: A field is out of its range.
    """

    policy: bool = True
    prm: bool = True
    problems: int = 150
    samples: int = 8
    confidence: float = 0.95
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.problems < LEAST or self.samples < 1:
            raise InputError(
                f"gate of {self.problems} problems, {self.samples} samples: expected {LEAST} and 1 or more"
            )
        if not 0.0 < self.confidence < 1.0 or self.margin < 0.0:
            raise InputError(f"gate: confidence={self.confidence}, margin={self.margin}: expected (0, 1) and 0 or more")

    @property
    def is_open(self) -> bool:
        """Whether every model passes untried."""
        return not (self.policy or self.prm)

    def verdict(self, of: str, new: Sequence[float | None], old: Sequence[float | None]) -> Verdict:
        """Keep the new model unless the whole interval of its difference to the old one lies below minus the margin.

        Args:
            of: `policy` or `prm`.
            new: [problems] scores in [0, 1]; None where a problem does not tell.
            old: [problems] likewise, of the same problems.
        """
        told = [(a, b) for a, b in zip(new, old, strict=True) if a is not None and b is not None]
        if len(told) < LEAST:
            return Verdict(of, is_kept=True, test=None)
        ours, theirs = zip(*told, strict=True)
        test = compare(of, "old", ours, theirs, confidence=self.confidence)
        means = float(np.mean(ours)), float(np.mean(theirs))
        return Verdict(of, test.high >= -self.margin, test, *means)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate decided about one model.

    Attributes:
        of: `policy` or `prm`.
        is_kept: Whether the round goes on with the new model; otherwise with the old one.
        test: The new model over the old; None where too few problems told anything.
        new: Mean score over the problems that told.
        old: Likewise.
    """

    of: str
    is_kept: bool
    test: Comparison | None
    new: float | None = None
    old: float | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` gave."""
        test = data["test"]
        return cls(**{**data, "test": Comparison(**test) if test else None})

    def __str__(self) -> str:
        name = "PRM" if self.of == PRM else self.of
        if self.test is None:
            return f"the new {name} is kept untried: fewer than {LEAST} validation problems told anything"
        return (
            f"the new {name} is {'kept' if self.is_kept else 'refused'}: {self.new:.3f} {MEASURES[self.of]}, "
            f"{self.old:.3f} by the old; difference {self.test.difference:+.3f} "
            f"({self.test.low:+.3f} to {self.test.high:+.3f}), {self.test.n} validation problems"
        )


def share_right(verified: VerifiedTree) -> float:
    """A policy's score on a problem: the share of the solutions drawn that are right."""
    visits = verified.tree.visits
    right = sum(int(visits[node]) for node, outcome in verified.outcomes.items() if outcome is Outcome.CORRECT)
    return right / max(1, int(visits[ROOT]))


def order_right(verified: VerifiedTree, values: NDArray[np.float32]) -> float | None:
    """A PRM's score on a problem: how often it values a step that led to a right solution above one that never did.

    Compared are steps of equal depth, and complete solutions whatever their length: what a search chooses among.
    Ranks, not values, because what a value means differs (`prm.labels`), while every kind has to put these in order.

    Args:
        verified: Judged samples.
        values: [N] of the tree's nodes; NaN where there is none.

    Returns:
        A share, ties half; None where there is nothing to compare.
    """
    tree, hard = verified.tree, verified.labels.hard
    known = ~np.isnan(values)
    good, bad = (np.flatnonzero(known & (hard == label)) for label in (1.0, 0.0))
    depth = tree.depths()
    is_final = np.zeros(len(hard), np.bool_)
    is_final[list(verified.outcomes)] = True
    comparable = (depth[good, None] == depth[bad]) | (is_final[good, None] & is_final[bad])
    if not comparable.any():
        return None
    ahead = (1.0 + np.sign(values[good, None] - values[bad])) / 2.0
    return float(ahead[comparable].mean(dtype=np.float64))
