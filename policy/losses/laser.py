"""LaSeR: a policy that tells, at the last token of its solution, what the solution is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mcts.errors import InputError
from policy.examples import Example
from policy.lessons import Judged
from policy.losses.loss import LogProbs, above_zero
from policy.losses.supervised import Supervised

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Laser:
    """Last-token self-rewarding (arXiv 2510.14943): L_supervised(good ones) + weight E (r_s - r)^2.

    r_s = beta (log pi(z_c|x, y) - reference) is the policy's own reward of solution y: how probable a reserved token
    z_c is after its last token. r is the verdict, 1 or 0. The expectation is half the mean over good solutions plus
    half that over bad ones (the paper's re-weighting of classes), in each batch. The paper adds the squared error to
    GRPO's loss; here it is added to the supervised one, so bad solutions teach z_c alone.

    `policy.laser_scorer` reads the same r_s in searches.

    Attributes:
        token: z_c, a token that no prompt or solution has; see `reserved`.
        beta: beta_v: by how much r_s rises with the log-probability.
        weight: Of the squared error.
        reference: c_ref: log pi_ref(z_c|x, y), nearly the same for all x and y, and therefore a constant. -23 is
            that of Qwen2.5 in the paper; `policy.laser_scorer.level` measures another model's.
    """

    lesson: ClassVar[type] = Judged
    has_reference: ClassVar[bool] = False

    token: int
    beta: float = 0.1
    weight: float = 0.1
    reference: float = -23.0

    def __post_init__(self) -> None:
        above_zero(self, "beta", "weight")
        if self.token < 0:
            raise InputError(f"loss {self}: token {self.token}, expected a token's id")

    def sequences(self, lessons: Sequence[Judged]) -> list[Example]:
        """[B] the solutions with z_c behind them; of bad ones, z_c alone is learned."""
        return [self._ending(judged) for judged in lessons]

    def items(self, lessons: Sequence[Judged]) -> float:
        """The number of solutions."""
        return float(len(lessons))

    def __call__(self, lessons: Sequence[Judged], logprobs: LogProbs) -> Tensor:
        """The mean over the tokens of good solutions, plus that over solutions."""
        ends = [len(judged.example.token_ids) for judged in lessons]
        rewards = self.beta * (logprobs.policy[range(len(ends)), ends] - self.reference)
        verdicts = logprobs.column(judged.is_good for judged in lessons)
        share = logprobs.column(0.5 / sum(other.is_good == one.is_good for other in lessons) for one in lessons)
        error = (share * (rewards - verdicts) ** 2).sum()

        good = [i for i, judged in enumerate(lessons) if judged.is_good]
        learned = logprobs.learned.clone()
        learned[range(len(ends)), ends] = False
        of_good = LogProbs(logprobs.policy[good], None, learned[good])
        supervised = Supervised()([lessons[i].example for i in good], of_good)
        return supervised + self.weight * error

    def _ending(self, judged: Judged) -> Example:
        example = judged.example
        mask = example.loss_mask if judged.is_good else (False,) * len(example.loss_mask)
        return replace(example, token_ids=(*example.token_ids, self.token), loss_mask=(*mask, True))


def reserved(tokenizer: PreTrainedTokenizerBase, text: str | None = None) -> int:
    """The id of z_c: the token with this text, or the padding token, which policies here never sample.

    Raises:
        InputError: The tokenizer has no such token, or it ends sequences.
    """
    token = tokenizer.pad_token_id if text is None else tokenizer.get_vocab().get(text)
    name = "padding" if text is None else repr(text)
    if not isinstance(token, int) or token == tokenizer.unk_token_id:
        raise InputError(f"laser token: the policy's tokenizer has no token {name}, expected one that is never used")
    if token == tokenizer.eos_token_id:
        raise InputError(f"laser token: {name} ends a sequence, expected a token that is never used")
    return token
