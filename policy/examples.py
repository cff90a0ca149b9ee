"""Training examples: token ids, and which of them the policy is to learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcts.errors import InputError
from mcts.types import Step
from policy.prompts import PromptFormat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence.

    Attributes:
        token_ids: [T].
        loss_mask: [T] whether the policy is trained to produce the token; the prompt is not.
        weight: Of its tokens, where a loss is a mean over tokens.
    """

    token_ids: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.loss_mask):
            raise InputError(f"example: {len(self.token_ids)} tokens but a loss mask of {len(self.loss_mask)}")
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise InputError(f"example: weight {self.weight}, expected a number above 0")


def from_demonstration(
    tokenizer: PreTrainedTokenizerBase, prompt_format: PromptFormat, question: str, steps: Sequence[str]
) -> Example:
    """A complete solution given as text.

    Raises:
        InputError: It has words that the tokenizer does not know.
    """
    return from_steps(
        tokenizer, prompt_format, question, prompt_format.encode_steps(tokenizer, steps, is_complete=True)
    )


def from_steps(
    tokenizer: PreTrainedTokenizerBase, prompt_format: PromptFormat, question: str, steps: Sequence[Step]
) -> Example:
    """A solution as it was sampled: the steps' own token ids.

    Raises:
        InputError: A step carries no token ids, or the question has words that the tokenizer does not know.
    """
    for i, step in enumerate(steps):
        if not step.token_ids:
            raise InputError(f"step {i} {step.text!r}: carries no token ids, expected them as sampled")
    prompt = prompt_format.encode_prompt(tokenizer, question)
    solution = tuple(token for step in steps for token in step.token_ids)
    return Example(prompt + solution, (False,) * len(prompt) + (True,) * len(solution))
