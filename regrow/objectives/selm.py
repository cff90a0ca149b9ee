"""SELM: DPO with an optimistic term."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from policy.losses import Loss, Selm
from regrow.objectives.material import Material
from regrow.objectives.objective import PairObjective, above_zero
from regrow.objectives.verdicts import verdict_pairs


@dataclass(frozen=True)
class SelmSolutions(PairObjective):
    """Self-Exploring Language Models (SELM, arXiv 2405.19332).

    L_DPO(y_w, y_l) + alpha beta E_{y ~ ref} log pi/ref(y): a reward that is optimistic about what nobody has tried
    gives it the probability of what would be said anyhow (`policy.losses.Selm`).

    On trees: y_w and y_l are a correct and a wrong leaf of this round's tree, which the current policy drew, and both
    are the sample of the optimistic term. The search does the exploring between rounds.

    Attributes:
        alpha: Weight of the optimism.
    """

    alpha: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "alpha")

    def pairs(self, material: Material) -> list[Pair]:
        """Correct against wrong, of this round."""
        found = verdict_pairs(material.fresh, per_problem=self.per_problem, seed=material.seed)
        return [material.pair(verified.tree, right, wrong) for verified, right, wrong in found]

    def loss(self, material: Material) -> Loss:
        """SELM's."""
        return Selm(self.beta, self.alpha)
