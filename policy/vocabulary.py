"""What a policy's tokens do: end a step, end a solution, or never come up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from mcts.errors import InputError
from mcts.types import Continuation, Step, StepEnd, Until
from policy.prompts import eos_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token ids by what they do.

    Attributes:
        ends_step: Tokens that contain the delimiter.
        ends_sequence: The tokenizer's end of sequence and those of the generation configuration.
        forbidden: Padding and the unknown word: they say nothing and cannot be read back.
    """

    ends_step: frozenset[int]
    ends_sequence: frozenset[int]
    forbidden: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, delimiter: str, size: int, named_ends: int | Sequence[int]) -> Self:
        """Read it off a tokenizer.

        Args:
            size: Tokens that the model knows.
            named_ends: Further ends of a sequence, those of the generation configuration.

        Raises:
            InputError: No token ends a step or a solution.
        """
        texts = tokenizer.batch_decode([[i] for i in range(size)])
        ends_step = frozenset(i for i, text in enumerate(texts) if delimiter in text)
        if not ends_step:
            raise InputError(f"policy tokenizer: no token contains the step delimiter {delimiter!r}")
        last = eos_of(tokenizer)
        silent = (tokenizer.pad_token_id, tokenizer.unk_token_id)
        return cls(
            ends_step,
            frozenset([last, *([named_ends] if isinstance(named_ends, int) else named_ends)]),
            frozenset(i for i in silent if isinstance(i, int) and i != last),
        )

    def stops(self, until: Until) -> frozenset[int]:
        """Tokens after which a continuation is over."""
        return self.ends_step | self.ends_sequence if until is Until.STEP else self.ends_sequence

    def cut(
        self, ids: Sequence[int], logprobs: Sequence[float], until: Until, text: Callable[[tuple[int, ...]], str]
    ) -> Continuation:
        """What was sampled, cut after every token that ends a step; an empty truncated step where nothing was.

        Args:
            text: How a step's tokens read.
        """
        cuts = [place + 1 for place, token in enumerate(ids) if token in self.ends_step]
        steps = []
        for start, stop in pairwise(sorted({0, *cuts, len(ids)})):
            part = tuple(ids[start:stop])
            end = self.end_of(part[-1], is_last=stop == len(ids), until=until)
            steps.append(Step(text(part), part, tuple(logprobs[start:stop]), end))
        return tuple(steps) or (Step("", end=StepEnd.TRUNCATED),)

    def end_of(self, token: int, *, is_last: bool, until: Until) -> StepEnd:
        """Why a step stopped whose last token is `token`; `is_last`: the reply stopped there, too."""
        if token in self.ends_sequence:
            return StepEnd.FINAL
        if token in self.ends_step and (until is Until.STEP or not is_last):
            return StepEnd.DELIMITER
        return StepEnd.TRUNCATED
