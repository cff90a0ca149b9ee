"""The port of a loss: what it reads of labelled solutions, and what it makes of the model's logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from prm.encode import Encoder
from prm.labels import LabelledState

Example = dict[str, Any]
"""What is drawn at once: `sequences`, token ids [T] each; `weights`, what each label or pair counts; and more."""

Batch = dict[str, Tensor]
"""Examples together: `input_ids` and `attention_mask` [B, T], a row a sequence; `weights`; and what else is read."""

Reader = Callable[[Tensor, Tensor], Tensor]
"""A model: from [B, T] tokens and the mask of those that are there to [B, T] logits."""


class StepLoss(Protocol):
    """A loss of a PRM."""

    def examples(self, encoder: Encoder, data: Sequence[LabelledState]) -> list[Example]:
        """What there is to learn from; nothing that carries no loss. Raises `InputError` for what cannot be encoded."""

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Examples as one batch."""

    def __call__(self, model: Reader, batch: Batch) -> Tensor:
        """The sum of what labels or pairs cost, each times its weight; divided by the sum of weights it is the mean."""


def rows_of(examples: Sequence[Example]) -> Batch:
    """All sequences of the examples, padded on the right to the longest, and the mask of what is no padding."""
    sequences = [sequence for example in examples for sequence in example["sequences"]]
    present = [torch.ones_like(sequence) for sequence in sequences]
    return {
        "input_ids": pad_sequence(sequences, batch_first=True),
        "attention_mask": pad_sequence(present, batch_first=True),
    }
