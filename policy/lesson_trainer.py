"""The transformers Trainer with a loss of ours and an order of ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from policy.batch import Model, batch_of, loss_of
from policy.length_batches import LengthBatches
from policy.lessons import Lesson
from policy.losses import Loss
from policy.resumption import ResumableTrainer


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
        super().__init__(data_collator=partial(batch_of, loss), **arguments)
        self._loss = loss
        self._reference: Model = self._without_adapter
        if reference is not None:
            reference = reference.eval().requires_grad_(False)
            self._reference = self.accelerator.prepare_model(reference, evaluation_mode=True)

    def _without_adapter(self, input_ids: Tensor) -> Any:
        adapted: Any = self.accelerator.unwrap_model(self.model)
        with adapted.disable_adapter():
            return adapted(input_ids=input_ids)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch, as its share of the step's."""
        loss = loss_of(self._loss, inputs, model, self._reference)
        if num_items_in_batch is not None:
            # The gradients of several devices are averaged, so each one's share is of the mean.
            loss = loss * (self._loss.items(inputs["lessons"]) * self.accelerator.num_processes / num_items_in_batch)
        return (loss, {"loss": loss}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Tensor:
        items = sum(self._loss.items(batch["lessons"]) for batch in batch_samples)
        here = torch.tensor(items, dtype=torch.float32, device=device)
        return cast(Tensor, self.accelerator.gather(here)).sum()

    def _get_train_sampler(self, train_dataset: object = None) -> LengthBatches:
        lessons = cast(Sequence[Lesson], self.train_dataset)
        lengths = [max(len(sequence.token_ids) for sequence in self._loss.sequences([one])) for one in lessons]
        return LengthBatches(lengths, self.args.per_device_train_batch_size, self.args.seed)
