"""ReST-EM: everything that is correct, from the first model anew each round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policy.lessons import Lesson
from policy.losses import Loss, Supervised
from regrow.objectives.material import Material
from regrow.objectives.objective import Objective, above_zero
from regrow.objectives.verdicts import traces


@dataclass(frozen=True)
class RestEm(Objective):
    """Expectation-maximisation (ReST-EM, arXiv 2312.06585): sample, keep what is correct, fit to it.

    The M-step is -log pi(solution | question), from the first model each time, so that rounds do not drift; of each
    problem at most `per_problem` correct solutions are kept, so that easy ones do not drown the others. On trees: all
    correct leaves, one of each canonical form. With `search=best_of_n` these are samples, as in the paper; with
    `round.traces_replay=0` they are those of one round.

    Attributes:
        per_problem: Most solutions of a problem; the paper's 10.
    """

    restarts: ClassVar[bool] = True

    per_problem: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "per_problem")

    def lessons(self, material: Material) -> list[Lesson]:
        """The correct solutions."""
        return list(traces(material, self.per_problem))

    def loss(self, material: Material) -> Loss:
        """The negative log-likelihood."""
        return Supervised()
