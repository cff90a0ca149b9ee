"""T-REG: direct preference optimisation, regularised by rewards of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policy.examples import Example
from policy.lessons import Pair
from policy.losses.dpo import Dpo
from policy.losses.loss import LogProbs, above_zero

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TReg:
    """Token-level reward regularisation (arXiv 2412.02685): L_DPO + alpha w (L_reg(chosen) + L_reg(rejected)).

    L_reg(y) = -sum_t beta r_t log pi(y_t), and w = sigmoid(-D) is the weight that DPO's own gradient has: what the pair
    has yet to teach. No gradient flows through w. The rewards r_t are the pair's; in the paper, sigmoid of a log-ratio
    under opposite prompts, less a half. A pair without rewards is DPO's.

    Attributes:
        beta: As DPO's.
        alpha: Of the regulariser; the paper tries .1, .25 and .5.
    """

    lesson: ClassVar[type] = Pair
    has_reference: ClassVar[bool] = True

    beta: float = 0.1
    alpha: float = 0.25

    def __post_init__(self) -> None:
        above_zero(self, "beta", "alpha")

    def sequences(self, lessons: Sequence[Pair]) -> list[Example]:
        """[2B] all chosen ones, then all rejected ones."""
        return Dpo(self.beta).sequences(lessons)

    def items(self, lessons: Sequence[Pair]) -> float:
        """The number of pairs."""
        return float(len(lessons))

    def __call__(self, lessons: Sequence[Pair], logprobs: LogProbs) -> Tensor:
        """The mean over pairs."""
        dpo = Dpo(self.beta)
        weight = (-dpo.margins(logprobs)).sigmoid().detach()
        chosen, rejected = (-self.beta * _rewards(lessons, logprobs) * logprobs.policy).sum(1).chunk(2)
        return dpo(lessons, logprobs) + self.alpha * (weight * (chosen + rejected)).mean()


def _rewards(lessons: Sequence[Pair], logprobs: LogProbs) -> Tensor:
    """[2B, T] reward of each token, 0 where a pair has none."""
    length = logprobs.policy.shape[1]
    rows = [pair.chosen_rewards for pair in lessons] + [pair.rejected_rewards for pair in lessons]
    return logprobs.policy.new_tensor([(*row, *[0.0] * (length - len(row))) for row in rows])
