"""Direct Nash Optimization: pairs of the model's own solutions that are far apart, preferred softly."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from regrow.objectives.material import Material, extremes, state_of
from regrow.objectives.objective import DpoObjective, expect
from regrow.solutions import solutions


@dataclass(frozen=True)
class DirectNash(DpoObjective):
    """Direct Nash Optimization (arXiv 2404.03715, Algorithms 1 and 2).

    -[p log sigmoid(D) + (1 - p) log sigmoid(-D)], D = beta (log pi/pi_t(y_1) - log pi/pi_t(y_2)), p the probability
    that y_1 is preferred to y_2. In practice, each round, pairs of the current model's solutions that are far apart.

    On trees: leaves that this round's policy drew. The quality of one is q = (verdict + V) / 2, with the verifier's 0
    or 1 and the value of this round's PRM; the best is paired with the worst and so on inwards, as long as they are
    `margin` apart, and p = (1 + q_1 - q_2) / 2.

    Attributes:
        margin: By how much the qualities must differ.
    """

    margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(0 < self.margin <= 1, f"margin={self.margin}", "more than 0, at most 1")

    def pairs(self, material: Material) -> list[Pair]:
        """The far apart, with how sure it is that the first is the better."""
        found = [
            (
                verified.tree,
                [one for group in solutions(verified, per_problem=None, seed=material.seed) for one in group],
            )
            for verified in material.fresh
        ]
        values = iter(material.readings.value([state_of(tree, one.leaf) for tree, group in found for one in group]))
        pairs = []
        for tree, group in found:
            quality = {one.leaf: (one.is_correct + next(values)) / 2 for one in group}
            for best, worst in extremes(quality, self.per_problem, self.margin):
                pairs.append(material.pair(tree, best, worst, (1 + quality[best] - quality[worst]) / 2))
        return pairs
