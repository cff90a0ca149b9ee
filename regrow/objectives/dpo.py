"""DPO on whole solutions: a correct one against a wrong one."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from regrow.objectives.material import Material
from regrow.objectives.objective import DpoObjective
from regrow.objectives.verdicts import verdict_pairs


@dataclass(frozen=True)
class DpoSolutions(DpoObjective):
    """Direct Preference Optimization (arXiv 2305.18290, Eq. 7): -log sigmoid(beta (log pi/ref(y_w) - log pi/ref(y_l))).

    On trees: y_w and y_l are a correct and a wrong leaf of one problem, each in one pair. What they have in common, the
    steps before they part, cancels.
    """

    def pairs(self, material: Material) -> list[Pair]:
        """Correct against wrong."""
        found = verdict_pairs(material.trees, per_problem=self.per_problem, seed=material.seed)
        return [material.pair(verified.tree, right, wrong) for verified, right, wrong in found]
