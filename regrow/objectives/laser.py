"""LaSeR: a policy that says at the end of a solution what it thinks of it."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Lesson
from policy.losses import Laser, Loss, reserved
from regrow.objectives.material import Material
from regrow.objectives.objective import Objective, above_zero
from regrow.objectives.verdicts import judged_solutions

MEASURED = 512
"""Solutions at which the reference is measured."""


@dataclass(frozen=True)
class LaserSolutions(Objective):
    """Reinforcement with Last-Token Self-Rewarding (LaSeR, arXiv 2510.14943).

    -log pi(y | x) of the good ones + weight (beta (log pi(z | x, y) - reference) - verdict)^2 of all, z a token that is
    never said, behind the solution's last.

    There the first part is a reinforcement of on-policy samples. On trees: the supervised loss of correct leaves; the
    self-reward is learned at the end of correct and wrong ones. It is a scorer of solutions that needs no PRM.

    Attributes:
        beta: Scale of the self-reward.
        weight: Of the self-reward's loss.
        reference: log pi(z | x, y) of the first model, which is much the same after all solutions; None measures it at
            some.
        token: The text of z; None takes the token for padding.
        per_problem: Most correct solutions of a problem, and most wrong ones.
    """

    beta: float = 0.1
    weight: float = 0.1
    reference: float | None = None
    token: str | None = None
    per_problem: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "beta", "weight", "per_problem")

    def lessons(self, material: Material) -> list[Lesson]:
        """Solutions with their verdicts."""
        return list(judged_solutions(material, self.per_problem))

    def loss(self, material: Material) -> Loss:
        """Supervised, with the self-reward's squared error."""
        token, reference = reserved(material.tokenizer, self.token), self.reference
        if reference is None:
            from policy.laser_scorer import level

            some = [one.example for one in judged_solutions(material, self.per_problem)[:MEASURED]]
            reference = level(material.first, some, token)
        return Laser(token, self.beta, self.weight, reference)
