"""CREAM: preferences are trusted as far as two reward models in a row rank alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from scipy.stats import kendalltau

from policy.lessons import Pair
from regrow.objectives.material import Material, extremes
from regrow.objectives.objective import DpoObjective, expect

SHARED, OWN = "shared", "own"


@dataclass(frozen=True)
class Cream(DpoObjective):
    """Consistency-Regularized Self-Rewarding (CREAM, arXiv 2410.12735, section 4.2).

    C L_DPO(y_w, y_l) + (1 - C) L_DPO(y_l, y_w), C = (tau + 1) / 2, tau Kendall's rank correlation of what the reward
    models of this iteration and of the last one say of a problem's solutions.

    There the reward models are the policies themselves. On trees: the PRMs V_i and V_i-1 rank the leaves of this
    round's trees, the best and the worst by V_i are the pair, and C is its `preference`.

    Attributes:
        consistency: `shared`, the mean C over all problems, as in the paper, or `own`, each problem's.
    """

    per_problem: int = 1
    consistency: str = SHARED

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (SHARED, OWN)
        expect(self.consistency in known, f"consistency={self.consistency}", f"one of {', '.join(known)}")

    def pairs(self, material: Material) -> list[Pair]:
        """Best against worst by V_i, weighed by C."""
        trees = [verified.tree for verified in material.fresh]
        now = material.rated(trees, material.readings.value)
        before = material.rated(trees, material.readings.value_before)
        found = [
            (tree, agreement(scores, earlier), extremes(scores, self.per_problem))
            for (tree, scores), (_, earlier) in zip(now, before, strict=True)
            if len(scores) > 1
        ]
        shared = fmean(own for _, own, _ in found) if found else 1.0
        return [
            material.pair(tree, best, worst, shared if self.consistency == SHARED else own)
            for tree, own, pairs in found
            for best, worst in pairs
        ]


def agreement(now: Mapping[int, float], before: Mapping[int, float]) -> float:
    """C = (tau + 1) / 2 of two ratings of the same nodes; 1/2 where one of them does not tell the nodes apart."""
    tau = float(kendalltau([now[node] for node in now], [before[node] for node in now]).statistic)
    return 0.5 if math.isnan(tau) else (tau + 1) / 2
