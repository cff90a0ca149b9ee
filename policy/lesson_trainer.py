"""The transformers Trainer with a loss of ours: lessons in, log-probabilities of their tokens to the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from policy.examples import Example
from policy.length_batches import LengthBatches
from policy.lessons import Lesson
from policy.losses import LogProbs, Loss
from policy.resumption import ResumableTrainer

_NO_LOSS = -100
"""The label of tokens that are not learned."""


class LessonTrainer(ResumableTrainer):
    """Fits a policy to lessons, drawing its training batches from `LengthBatches`.

    Batches that make one step together (gradient accumulation, several devices) count by `Loss.items`, so that a step
    has the loss of one large batch.

    Args:
        loss: What the lessons cost.
        reference: The frozen model that the loss compares with; None for the model with its adapter off.
        arguments: The Trainer's own.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *, loss: Loss, reference: PreTrainedModel | None, **arguments: Any) -> None:
        super().__init__(data_collator=self._collate, **arguments)
        self._loss = loss
        self._reference = None
        if reference is not None:
            reference = reference.eval().requires_grad_(False)
            self._reference = self.accelerator.prepare_model(reference, evaluation_mode=True)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch, as its share of the step's."""
        lessons, input_ids, labels = inputs["lessons"], inputs["input_ids"], inputs["labels"]
        policy = log_probabilities(model, input_ids, labels)
        reference = self._by_reference(input_ids, labels) if self._loss.has_reference else None
        loss = self._loss(lessons, LogProbs(policy, reference, _learned(labels)))
        if num_items_in_batch is not None:
            # The gradients of several devices are averaged, so each one's share is of the mean.
            loss = loss * (self._loss.items(lessons) * self.accelerator.num_processes / num_items_in_batch)
        return (loss, {"loss": loss}) if return_outputs else loss

    @torch.no_grad()
    def _by_reference(self, input_ids: Tensor, labels: Tensor) -> Tensor:
        if self._reference is not None:
            return log_probabilities(self._reference, input_ids, labels)
        adapted: Any = self.accelerator.unwrap_model(self.model)
        with adapted.disable_adapter():
            return log_probabilities(adapted, input_ids, labels)

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Tensor:
        items = sum(self._loss.items(batch["lessons"]) for batch in batch_samples)
        here = torch.tensor(items, dtype=torch.float32, device=device)
        return cast(Tensor, self.accelerator.gather(here)).sum()

    def _get_train_sampler(self, train_dataset: object = None) -> LengthBatches:
        lessons = cast(Sequence[Lesson], self.train_dataset)
        lengths = [max(len(sequence.token_ids) for sequence in self._loss.sequences([one])) for one in lessons]
        return LengthBatches(lengths, self.args.per_device_train_batch_size, self.args.seed)

    def _collate(self, lessons: Sequence[Lesson]) -> dict[str, Any]:
        """All sequences of the lessons, padded on the right to the longest.

        No attention mask is needed: attention is causal, so no token sees the padding behind it, and padding has no
        loss.
        """
        sequences = self._loss.sequences(lessons)
        return {
            "input_ids": pad_sequence([torch.tensor(one.token_ids) for one in sequences], batch_first=True),
            "labels": pad_sequence([_labels(one) for one in sequences], batch_first=True, padding_value=_NO_LOSS),
            "lessons": list(lessons),
        }


def log_probabilities(model: Any, input_ids: Tensor, labels: Tensor) -> Tensor:
    """[S, T] natural-log probability of each labelled token after those before it, in float32; 0 for the others.

    Args:
        model: A causal language model.
        input_ids: [S, T].
        labels: [S, T] the token itself, or -100.
    """
    logits = model(input_ids=input_ids).logits.float()
    following = pad(labels, (0, 1), value=_NO_LOSS)[:, 1:]
    costs = cross_entropy(logits.flatten(0, 1), following.flatten(), ignore_index=_NO_LOSS, reduction="none")
    return pad(-costs.view(following.shape), (1, 0))[:, :-1]


def _learned(labels: Tensor) -> Tensor:
    """[S, T] what has a log-probability: labelled tokens behind the first."""
    learned = labels != _NO_LOSS
    learned[:, 0] = False
    return learned


def _labels(example: Example) -> Tensor:
    """[T] the tokens to learn."""
    return torch.tensor(example.token_ids).masked_fill(~torch.tensor(example.loss_mask), _NO_LOSS)
