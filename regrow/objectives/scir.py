"""SCIR: only pairs on which all of a model's readings of a solution agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from policy.lessons import Pair
from regrow.objectives.material import Material, Reading, likelihood
from regrow.objectives.objective import DpoObjective


@dataclass(frozen=True)
class ConsistentRewards(DpoObjective):
    """Self-Consistent Internal Rewards (SCIR, arXiv 2502.08922): what it selects.

    DPO's loss on pairs (y_w, y_l) with r(y_w) > r(y_l) by every internal reward r. The loss that makes the rewards
    consistent with each other is not used here.

    There the rewards are the model asked as a judge and the implicit one, beta log pi/ref(y). On trees, of the leaves
    that this round's policy drew: the value of this round's PRM, the mean log-probability a token, and the implicit
    reward log pi_i/pi_i-1(y), which is silent in the first round. Of the pairs on which all agree those furthest apart
    in value are taken, each leaf once.
    """

    def pairs(self, material: Material) -> list[Pair]:
        """Where all agree."""
        trees = [verified.tree for verified in material.fresh]
        readings: list[Reading] = [material.readings.value, likelihood]
        if material.readings.has_past:
            readings.append(material.readings.gain)
        pairs = []
        for rated in zip(*(material.rated(trees, reading) for reading in readings), strict=True):
            tree, value = rated[0]
            said = [scores for _, scores in rated]
            agreed = [(a, b) for a, b in permutations(value, 2) if all(scores[a] > scores[b] for scores in said)]
            taken: set[int] = set()
            for best, worst in sorted(agreed, key=lambda pair: value[pair[1]] - value[pair[0]]):
                if not taken & {best, worst} and len(taken) < 2 * self.per_problem:
                    taken |= {best, worst}
                    pairs.append(material.pair(tree, best, worst))
        return pairs
