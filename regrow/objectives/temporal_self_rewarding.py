"""Temporal Self-Rewarding: rejected from the past, chosen from the future."""

from __future__ import annotations

from dataclasses import dataclass

from policy.lessons import Pair
from regrow.objectives.judge import ASKED, LIKELIHOOD, QUESTION, VALUE, reading_of
from regrow.objectives.material import Material, Need, ranking
from regrow.objectives.objective import DpoObjective, above_zero, expect

JUDGES = (LIKELIHOOD, ASKED, VALUE)


@dataclass(frozen=True)
class TemporalSelfRewarding(DpoObjective):
    """Temporal Self-Rewarding Language Models (arXiv 2508.06026).

    DPO's loss on y_w from a provisional next model and y_l from the first one: pairs of one model grow alike as it
    learns, and then there is little to tell apart.

    *Anchored rejection*: y_l is the worst of the first model's samples. *Future-guided chosen*: a next model is trained
    provisionally, and y_w is the best of its samples. There it is trained by Self-Rewarding; here by what trees give,
    supervised on the traces so far. Best and worst are the model's own judgement, as in `self_rewarding`, or the PRM's.

    Attributes:
        judge: `likelihood`, `asked` or `value`, this round's PRM.
        question: What is asked; the answers are weighed by their first tokens, `yes` against `no`.
        samples: Solutions a problem that each of the two models draws.
    """

    per_problem: int = 1
    judge: str = LIKELIHOOD
    question: str = QUESTION
    samples: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.judge in JUDGES, f"judge={self.judge}", f"one of {', '.join(JUDGES)}")
        above_zero(self, "samples")

    def needs(self) -> dict[Need, int]:
        """The samples of both."""
        return {Need.FIRST_SAMPLES: self.samples, Need.NEXT_SAMPLES: self.samples}

    def pairs(self, material: Material) -> list[Pair]:
        """The best of the future against the worst of the past."""
        reading = reading_of(material, self.judge, self.question)
        past, future = (
            material.rated(material.samples[need], reading) for need in (Need.FIRST_SAMPLES, Need.NEXT_SAMPLES)
        )
        drawn = [
            (material.example(next_tree, best), material.example(first_tree, worst))
            for (first_tree, first), (next_tree, later) in zip(past, future, strict=True)
            for best, worst in list(zip(ranking(later), reversed(ranking(first)), strict=False))[: self.per_problem]
        ]
        return [Pair(chosen, rejected) for chosen, rejected in drawn if chosen != rejected]
