"""DPO on single steps: siblings of a tree that differ in value."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from regrow.objectives.material import Material
from regrow.objectives.objective import DpoObjective, expect
from regrow.selection import NODE_LABELS
from regrow.solutions import step_pairs


@dataclass(frozen=True)
class StepDpo(DpoObjective):
    """Preferences between two steps from one state (Step-DPO, arXiv 2406.18629, Eq. 2).

    -log sigmoid(beta (log pi/ref(s_w | x, s_1..k) - log pi/ref(s_l | x, s_1..k)))

    There a person or a model marks the first wrong step. On trees: s_w and s_l are the best and the worst of the steps
    drawn at one state, by the labels that the verifier's outcomes leave at the nodes, if they are `margin` apart. Only
    the two steps are learned; the question and the steps before belong to the prompt.

    Attributes:
        labels: Which labels are values: `soft`, `hard`, `progress` or `simple`.
        margin: By how much the two must differ.
    """

    labels: str = "soft"
    margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.labels in NODE_LABELS, f"labels={self.labels}", f"one of {', '.join(NODE_LABELS)}")
        expect(0 < self.margin <= 1, f"margin={self.margin}", "more than 0, at most 1")

    def pairs(self, material: Material) -> list[Pair]:
        """Best against worst among siblings."""
        return [
            Pair(material.last_step(verified.tree, pair.chosen), material.last_step(verified.tree, pair.rejected))
            for verified in material.trees
            for pair in step_pairs(
                verified,
                labels=self.labels,
                margin=self.margin,
                per_problem=self.per_problem,
                seed=material.seed,
            )
        ]
