"""Direct preference optimisation, with soft preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mcts.errors import InputError
from policy.examples import Example
from policy.lessons import Pair
from policy.losses.loss import LogProbs, above_zero

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("logistic", "hinge")


@dataclass(frozen=True, slots=True)
class Dpo:
    """Direct preference optimisation (arXiv 2305.18290, equation 7), each pair with its preference p.

    D = beta (log pi/pi_ref(chosen) - log pi/pi_ref(rejected)), and a pair costs p l(D) + (1 - p) l(-D):

    * `logistic`: l(D) = -log sigmoid(D). With p = 1 this is DPO; with p = C it is CREAM's loss (2410.12735), with the
      probability of winning as p Direct Nash Optimization's (2404.03715); SPIN (2401.01335) has it with p = 1, too.
    * `hinge`: l(D) = max(0, 1 - D) (SLiC, 2305.10425; one of SPIN's).

    Attributes:
        beta: How strongly log-ratios count; the smaller, the further the policy may go from the reference.
        form: `logistic` or `hinge`.
        likelihood: Adds that share of -log pi(chosen) / |chosen|, which keeps the chosen one from falling together
            with the rejected one (RPO, 2404.19733, equation 1).
    """

    lesson: ClassVar[type] = Pair
    has_reference: ClassVar[bool] = True

    beta: float = 0.1
    form: str = "logistic"
    likelihood: float = 0.0

    def __post_init__(self) -> None:
        above_zero(self, "beta")
        if self.form not in FORMS:
            raise InputError(f"loss {self}: form {self.form!r}, expected one of {', '.join(FORMS)}")
        if self.likelihood < 0:
            raise InputError(f"loss {self}: likelihood {self.likelihood}, expected 0 or more")

    def sequences(self, lessons: Sequence[Pair]) -> list[Example]:
        """[2B] all chosen ones, then all rejected ones."""
        return [pair.chosen for pair in lessons] + [pair.rejected for pair in lessons]

    def items(self, lessons: Sequence[Pair]) -> float:
        """The number of pairs."""
        return float(len(lessons))

    def margins(self, logprobs: LogProbs) -> Tensor:
        """[B] D of each pair."""
        chosen, rejected = logprobs.ratios().chunk(2)
        return self.beta * (chosen - rejected)

    def __call__(self, lessons: Sequence[Pair], logprobs: LogProbs) -> Tensor:
        """The mean over pairs."""
        from torch.nn.functional import logsigmoid

        preference = logprobs.column(pair.preference for pair in lessons)
        margin = self.margins(logprobs)
        if self.form == "logistic":
            right, wrong = -logsigmoid(margin), -logsigmoid(-margin)
        else:
            right, wrong = (1 - margin).relu(), (1 + margin).relu()
        loss = preference * right + (1 - preference) * wrong
        if self.likelihood:
            tokens = logprobs.learned.sum(1).clamp(min=1)
            per_token, _ = (logprobs.policy.sum(1) / tokens).chunk(2)
            loss = loss - self.likelihood * per_token
        return loss.mean()
