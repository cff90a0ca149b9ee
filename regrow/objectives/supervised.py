"""Supervised fine-tuning on verified traces: the policy's part of ReST-MCTS*."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Lesson
from policy.losses import Loss, Supervised
from regrow.objectives.material import Material
from regrow.objectives.objective import Objective
from regrow.objectives.verdicts import traces


@dataclass(frozen=True)
class SupervisedTraces(Objective):
    """The policy's part of Algorithm 1 of ReST-MCTS* (arXiv 2406.03816): -log pi(solution | question), token by token.

    On trees: of each problem at most `round.traces_per_problem` correct leaves, one of each canonical form. Where the
    paper filters by value, the verifier's word decides.
    """

    def lessons(self, material: Material) -> list[Lesson]:
        """The traces."""
        return list(traces(material, material.per_problem))

    def loss(self, material: Material) -> Loss:
        """The negative log-likelihood."""
        return Supervised()
