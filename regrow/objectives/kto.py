"""KTO: single solutions with their verdicts; no pairs are needed."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Lesson
from policy.losses import Kto, Loss
from regrow.objectives.material import Material
from regrow.objectives.objective import Objective, above_zero, expect
from regrow.objectives.verdicts import judged_solutions


@dataclass(frozen=True)
class KtoSolutions(Objective):
    """Kahneman-Tversky optimisation (KTO, arXiv 2402.01306, Eq. 8).

    desirable (1 - sigmoid(beta (r - z))) for the good, undesirable (1 - sigmoid(beta (z - r))) for the bad, with
    r = log pi/ref(y | x) and z an estimate of KL(pi, ref) from the batch.

    On trees: correct and wrong leaves with the verifier's word, at most `per_problem` of each. Problems that were
    always solved, or never, teach here too, where pairs have nothing to say.

    Attributes:
        beta: How much a log-probability counts against the reference's.
        desirable: Weight of the good ones; None has all the good ones weigh as much as all the bad ones, as the paper
            advises: of a weak policy's leaves few are good.
        undesirable: Weight of the bad ones.
        per_problem: Most correct solutions of a problem, and most wrong ones.
    """

    rate: float = 0.1
    beta: float = 0.1
    desirable: float | None = None
    undesirable: float = 1.0
    per_problem: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "beta", "undesirable", "per_problem")
        expect(self.desirable is None or self.desirable > 0, f"desirable={self.desirable}", "more than 0")

    def lessons(self, material: Material) -> list[Lesson]:
        """Solutions with their verdicts."""
        return list(judged_solutions(material, self.per_problem))

    def loss(self, material: Material) -> Loss:
        """KTO's."""
        if self.desirable is not None:
            return Kto(self.beta, self.desirable, self.undesirable)
        verdicts = [one.is_good for one in judged_solutions(material, self.per_problem)]
        good, bad = sum(verdicts), len(verdicts) - sum(verdicts)
        return Kto(self.beta, self.undesirable * bad / good if good and bad else 1.0, self.undesirable)
