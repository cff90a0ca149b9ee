"""The transformers Trainer with a loss of ours, which is a mean over labels or pairs, not over batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_pt_utils import get_length_grouped_indices

from prm.losses import Batch, Example, StepLoss


class StepTrainer(Trainer):
    """Fits a PRM to examples of a loss, in batches of equal lengths.

    Batches that make one step together (gradient accumulation, several devices) count by their weights, so that a step
    has the loss of one large batch; and so does the evaluation.

    Args:
        loss: What examples cost.
        arguments: The Trainer's own.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *, loss: StepLoss, **arguments: Any) -> None:
        super().__init__(data_collator=loss.collate, **arguments)
        self._loss = loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch, as its share of the step's."""
        assert num_items_in_batch is not None
        # The gradients of several devices are averaged, so each one's share is of the mean.
        return self._loss(model, inputs) * self.accelerator.num_processes / num_items_in_batch

    @torch.no_grad()
    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """The mean loss over all labels or pairs of the validation data, told to all callbacks."""
        model = cast(nn.Module, self.model).eval()
        examples = sorted(cast(Sequence[Example], self.eval_dataset), key=_length)
        total = weight = 0.0
        for start in range(0, len(examples), self.args.eval_batch_size):
            part = self._loss.collate(examples[start : start + self.args.eval_batch_size])
            batch = {name: values.to(self.args.device) for name, values in part.items()}
            total += float(self._loss(model, batch))
            weight += float(batch["weights"].sum())
        metrics = {"eval_loss": total / weight}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        here = torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().to(device)
        return cast(Tensor, self.accelerator.gather(here)).sum()

    def _get_train_sampler(self, train_dataset: object = None) -> _LengthBatches:
        examples = cast(Sequence[Example], self.train_dataset)
        return _LengthBatches([_length(one) for one in examples], self.args.train_batch_size, self.args.seed)


class _LengthBatches(Sampler[int]):
    """Batches of equally long examples, shuffled: in order of length, neighbouring steps would see one depth each."""

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        order = torch.tensor(get_length_grouped_indices(self._lengths, self._batch_size, generator=self._generator))
        *whole, last = order.split(self._batch_size)
        # The last one may be short, and stays last: the Trainer cuts the stream of indices into batches by count.
        for i in torch.randperm(len(whole), generator=self._generator):
            yield from whole[i].tolist()
        yield from last.tolist()


def _length(example: Example) -> int:
    """Tokens of the longest sequence."""
    return max(len(sequence) for sequence in example["sequences"])
