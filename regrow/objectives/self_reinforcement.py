"""Self-reinforcement: what the fine-tuned model answers against what the base answers, without a label."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.types import Step
from policy.lessons import Pair
from regrow.objectives.judge import ASKED, QUESTION, VALUE, reading_of
from regrow.objectives.material import Material, Need, state_of
from regrow.objectives.objective import DpoObjective, above_zero, expect
from regrow.solutions import endings

UNJUDGED = "none"
JUDGES = (UNJUDGED, ASKED, VALUE)


@dataclass(frozen=True)
class SelfReinforcement(DpoObjective):
    """Self-reinforcement with weak supervision (arXiv 2405.04086).

    DPO's loss on y_w from a model fine-tuned on few labels and y_l from the one before it, on the same question: what
    fine-tuning changed is taken to be for the better. In later rounds there only pairs stay that the model itself
    holds to be in the right order.

    Here the fine-tuned model is a provisional next one, fitted to the traces so far, and the other is round 0's. Pairs
    of the same answer are left out: they differ in form.

    Attributes:
        judge: Who must hold y_w to be better than y_l: `none`, `asked` (the policy, in words) or `value` (the PRM).
        question: What is asked; the answers are weighed by their first tokens, `yes` against `no`.
        samples: Solutions a problem that each of the two models draws.
    """

    judge: str = UNJUDGED
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
        """Next against first, where they answer differently."""
        drawn = []
        for first, later in zip(*(material.samples[need] for need in self.needs()), strict=True):
            both = [
                (later, new, first, old)
                for new, old in zip(endings(later), endings(first), strict=False)
                if _answer(material, later.path(new)) != _answer(material, first.path(old))
            ]
            drawn += both[: self.per_problem]
        if self.judge != UNJUDGED:
            reading = reading_of(material, self.judge, self.question)
            new_said = reading([state_of(later, new) for later, new, _, _ in drawn])
            old_said = reading([state_of(first, old) for _, _, first, old in drawn])
            drawn = [one for one, new, old in zip(drawn, new_said, old_said, strict=True) if new > old]
        return [Pair(material.example(later, new), material.example(first, old)) for later, new, first, old in drawn]


def _answer(material: Material, steps: tuple[Step, ...]) -> str | None:
    return material.task.answer([step.text for step in steps])
