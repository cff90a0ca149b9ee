"""Kahneman-Tversky optimisation: learning from verdicts without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policy.examples import Example
from policy.lessons import Judged
from policy.losses.loss import LogProbs, above_zero

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Kto:
    """Kahneman-Tversky optimisation (arXiv 2402.01306, equations 7 and 8).

    With r = log pi/pi_ref(y|x) and the reference point z = max(0, mean log pi/pi_ref(y'|x)), a good solution costs
    desirable (1 - sigmoid(beta (r - z))), a bad one undesirable (1 - sigmoid(beta (z - r))).

    z estimates KL(pi || pi_ref) from solutions y' of other problems: as in TRL, each prompt of the batch stands before
    the solution of the lesson before it. No gradient flows through z. In a batch of one lesson z = 0.

    Attributes:
        beta: As DPO's.
        desirable: Weight of good solutions.
        undesirable: Weight of bad ones. The paper wants desirable n_good / (undesirable n_bad) in [1, 4/3].
    """

    lesson: ClassVar[type] = Judged
    has_reference: ClassVar[bool] = True

    beta: float = 0.1
    desirable: float = 1.0
    undesirable: float = 1.0

    def __post_init__(self) -> None:
        above_zero(self, "beta", "desirable", "undesirable")

    def sequences(self, lessons: Sequence[Judged]) -> list[Example]:
        """[2B] the solutions, then the mismatched ones, cut where the longest solution ends."""
        matched = [judged.example for judged in lessons]
        longest = max(len(example.token_ids) for example in matched)
        others = [*matched[-1:], *matched[:-1]]
        return matched + [_mismatched(*two, longest) for two in zip(matched, others, strict=True)]

    def items(self, lessons: Sequence[Judged]) -> float:
        """The number of solutions."""
        return float(len(lessons))

    def __call__(self, lessons: Sequence[Judged], logprobs: LogProbs) -> Tensor:
        """The mean over solutions."""
        ratios, mismatched = logprobs.ratios().chunk(2)
        kl = mismatched.detach().mean().clamp(min=0.0) * (len(lessons) > 1)
        sign = logprobs.column(1.0 if judged.is_good else -1.0 for judged in lessons)
        weight = logprobs.column(self.desirable if judged.is_good else self.undesirable for judged in lessons)
        return (weight * (1 - (self.beta * sign * (ratios - kl)).sigmoid())).mean()


def _mismatched(asked: Example, answered: Example, longest: int) -> Example:
    """The prompt of one and the solution of another."""
    prompt, solution = _prompt(asked), _prompt(answered)
    token_ids = asked.token_ids[:prompt] + answered.token_ids[solution:]
    loss_mask = (False,) * prompt + answered.loss_mask[solution:]
    return Example(token_ids[:longest], loss_mask[:longest])


def _prompt(example: Example) -> int:
    """Tokens before the first that is learned."""
    return example.loss_mask.index(True) if True in example.loss_mask else len(example.token_ids)
