"""SPIN: a verified trace against what the model says itself."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from policy.losses import Dpo, Loss
from regrow.objectives.material import Material, Need
from regrow.objectives.objective import DpoObjective, above_zero
from regrow.solutions import endings, solutions


@dataclass(frozen=True)
class SelfPlay(DpoObjective):
    """Self-Play Fine-Tuning (arXiv 2401.01335, Eq. 4.7).

    l(beta (log pi/pi_t(y) - log pi/pi_t(y'))), y from the data, y' ~ pi_t drawn anew each round, l the logistic loss or
    the hinge loss. When pi_t draws as the data are, nothing is left to tell apart.

    On trees: y is a correct leaf of this round's tree of the problem, y' one of `samples` plain samples. They are
    not judged; what reads as y does is left out.

    Attributes:
        form: `logistic` or `hinge`.
        samples: Solutions a problem that the model draws.
    """

    form: str = "logistic"
    samples: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "samples")

    def needs(self) -> dict[Need, int]:
        """The model's own samples."""
        return {Need.OWN_SAMPLES: self.samples}

    def pairs(self, material: Material) -> list[Pair]:
        """Found by search and verified, against sampled."""
        drawn = []
        for verified, own in zip(material.fresh, material.samples[Need.OWN_SAMPLES], strict=True):
            correct, _ = solutions(verified, per_problem=self.per_problem, seed=material.seed)
            for real, generated in zip(correct, endings(own), strict=False):
                drawn.append((material.example(verified.tree, real.leaf), material.example(own, generated)))
        return [Pair(real, generated) for real, generated in drawn if real != generated]

    def loss(self, material: Material) -> Loss:
        """DPO's, in either form."""
        return Dpo(self.beta, form=self.form, likelihood=self.likelihood)
