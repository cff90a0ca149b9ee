"""SELM: direct preference optimisation with optimism."""

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
class Selm:
    """Self-exploring language models (arXiv 2405.19332): L_DPO + alpha beta E_{y ~ pi_ref} [log pi/pi_ref(y|x)].

    Solving the paper's inner problem max_y r(x, y) for the reward that a policy implies leaves this term: it takes
    probability from what the reference would say anyhow, and so gives it to what nobody has tried.

    The form taken is that of the authors' code (github.com/shenao-zhang/SELM, `optimistic_dpo_loss`), which subtracts
    log pi_ref, a constant. There y is a reply that the reference decodes for this term, and that also competes for
    being chosen or rejected. Here the pair itself is the sample: both ways were drawn from the model of the round,
    which is the reference, so the mean of their two log-ratios takes the expectation's place.

    Attributes:
        beta: As DPO's.
        alpha: Of optimism; the authors take .001 to .005. 0 is DPO.
    """

    lesson: ClassVar[type] = Pair
    has_reference: ClassVar[bool] = True

    beta: float = 0.1
    alpha: float = 0.005

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
        return Dpo(self.beta)(lessons, logprobs) + self.alpha * self.beta * logprobs.ratios().mean()
