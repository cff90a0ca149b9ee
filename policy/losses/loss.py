"""The port of a loss: which sequences it reads, and what it makes of their log-probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from policy.examples import Example

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LogProbs:
    """What policy and reference say about the sequences of a batch. S sequences, T tokens of the longest.

    Attributes:
        policy: [S, T] natural-log probability of each token after those before it; 0 where none is learned, so that
            prompts, padding and first tokens carry no gradient.
        reference: [S, T] likewise by the frozen reference, without gradient; None for a loss without one.
        learned: [S, T] which tokens are in a loss mask.
    """

    policy: Tensor
    reference: Tensor | None
    learned: Tensor

    def ratios(self) -> Tensor:
        """[S] log pi(y|x) / pi_ref(y|x) of each sequence."""
        assert self.reference is not None
        return (self.policy - self.reference).sum(1)

    def column(self, values: Iterable[float]) -> Tensor:
        """[B] a number of each lesson, beside the log-probabilities."""
        return self.policy.new_tensor(list(values))


class Loss(Protocol):
    """A loss of a policy: hyperparameters as fields, formula and source in its docstring.

    Attributes:
        lesson: What it learns from: `Example`, `Pair` or `Judged`.
        has_reference: Whether it compares the policy with the frozen reference.
    """

    lesson: ClassVar[type]
    has_reference: ClassVar[bool]

    def sequences(self, lessons: Sequence[Any]) -> list[Example]:
        """What a batch of lessons has the model read; as many sequences for each lesson."""

    def items(self, lessons: Sequence[Any]) -> float:
        """What a batch weighs among those that make a step (gradient accumulation, several devices)."""

    def __call__(self, lessons: Sequence[Any], logprobs: LogProbs) -> Tensor:
        """The mean over the batch's items."""


def above_zero(loss: object, *names: str) -> None:
    """Raise `InputError` unless these fields are above 0."""
    from mcts.errors import InputError

    for name in names:
        if not getattr(loss, name) > 0:
            raise InputError(f"loss {loss}: {name} {getattr(loss, name)}, expected more than 0")
