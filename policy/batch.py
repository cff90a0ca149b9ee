"""From a batch of lessons to its loss: one pass of the policy, one of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils.rnn import pad_sequence

from policy.examples import Example
from policy.lessons import Lesson
from policy.losses import LogProbs, Loss

Model = Callable[..., Any]
"""A causal language model: called with `input_ids` [S, T], its reply has `logits` [S, T, V]."""

_NO_LOSS = -100
"""The label of tokens that are not learned."""


def batch_of(loss: Loss, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """All sequences of the lessons, padded on the right to the longest: `input_ids` and `labels`, [S, T].

    `numbers` [B] stands first: the Trainer takes the length of the first tensor for the number of lessons.

    No attention mask is needed: attention is causal, so no token sees the padding behind it, and padding has no loss.
    """
    sequences = loss.sequences(lessons)
    return {
        "numbers": torch.arange(len(lessons)),
        "input_ids": pad_sequence([torch.tensor(one.token_ids) for one in sequences], batch_first=True),
        "labels": pad_sequence([_labels(one) for one in sequences], batch_first=True, padding_value=_NO_LOSS),
        "lessons": list(lessons),
    }


def loss_of(loss: Loss, batch: Mapping[str, Any], policy: Model, reference: Model | None) -> Tensor:
    """What a batch costs, in float32. Without gradient through `reference`, which only some losses need."""
    input_ids, labels = batch["input_ids"], batch["labels"]
    of_policy, of_reference = log_probabilities(policy, input_ids, labels), None
    if loss.has_reference:
        assert reference is not None
        with torch.no_grad():
            of_reference = log_probabilities(reference, input_ids, labels)
    learned = labels != _NO_LOSS
    learned[:, 0] = False
    return loss(batch["lessons"], LogProbs(of_policy, of_reference, learned))


def log_probabilities(model: Model, input_ids: Tensor, labels: Tensor) -> Tensor:
    """[S, T] natural-log probability of each labelled token after those before it; 0 for the others and the first.

    Args:
        input_ids: [S, T].
        labels: [S, T] the token itself, or -100.
    """
    logits = model(input_ids=input_ids).logits.float()
    following = pad(labels, (0, 1), value=_NO_LOSS)[:, 1:]
    costs = cross_entropy(logits.flatten(0, 1), following.flatten(), ignore_index=_NO_LOSS, reduction="none")
    return pad(-costs.view(following.shape), (1, 0))[:, :-1]


def _labels(example: Example) -> Tensor:
    """[T] the tokens to learn."""
    return torch.tensor(example.token_ids).masked_fill(~torch.tensor(example.loss_mask), _NO_LOSS)
