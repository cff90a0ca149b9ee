"""Self-Rewarding: the model's best against its worst, by its own judgement."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from regrow.objectives.judge import ASKED, LIKELIHOOD, QUESTION, reading_of
from regrow.objectives.material import Material, extremes
from regrow.objectives.objective import DpoObjective, expect

JUDGES = (LIKELIHOOD, ASKED)


@dataclass(frozen=True)
class SelfRewarding(DpoObjective):
    """Self-Rewarding Language Models (arXiv 2401.10020, section 2.3).

    DPO's loss on y_w = argmax r(y) and y_l = argmin r(y) over the model's own solutions, r its own judgement of them.

    There r is the model's answer in words, of 0 to 5 points. On trees: the leaves of a problem that this round's policy
    drew; r is their mean log-probability a token or, asked in words, the probability of `yes`. Verdicts have no say.

    Attributes:
        judge: `likelihood` or `asked`.
        question: What is asked; the answers are weighed by their first tokens, `yes` against `no`.
    """

    per_problem: int = 1
    judge: str = LIKELIHOOD
    question: str = QUESTION

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.judge in JUDGES, f"judge={self.judge}", f"one of {', '.join(JUDGES)}")

    def pairs(self, material: Material) -> list[Pair]:
        """Best against worst, and so on inwards."""
        reading = reading_of(material, self.judge, self.question)
        rated = material.rated((verified.tree for verified in material.fresh), reading)
        return [
            material.pair(tree, best, worst)
            for tree, scores in rated
            for best, worst in extremes(scores, self.per_problem)
        ]
