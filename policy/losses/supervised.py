"""Maximum likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policy.examples import Example
from policy.losses.loss import LogProbs

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Supervised:
    """The weighted mean negative log-likelihood of the learned tokens: -sum_t w_t log pi(y_t) / sum_t w_t."""

    lesson: ClassVar[type] = Example
    has_reference: ClassVar[bool] = False

    def sequences(self, lessons: Sequence[Example]) -> list[Example]:
        """The examples themselves."""
        return list(lessons)

    def items(self, lessons: Sequence[Example]) -> float:
        """The weight of the learned tokens; a first token has nothing to be learned from."""
        return sum(example.weight * sum(example.loss_mask[1:]) for example in lessons)

    def __call__(self, lessons: Sequence[Example], logprobs: LogProbs) -> Tensor:
        """The mean over tokens."""
        weights = logprobs.column(example.weight for example in lessons)[:, None] * logprobs.learned
        return -(weights * logprobs.policy).sum() / max(self.items(lessons), 1e-9)
