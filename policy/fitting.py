"""The transformers Trainer, set up for causal language models on short sequences."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from mcts.errors import InputError
from policy import checkpoint
from policy.examples import Example
from policy.train import TrainPolicy

_NO_LOSS = -100
"""The label that transformers' losses leave out."""
_REPORTS = 100
"""Progress reports a run."""
_EVAL_BATCH = 512
_ADAM_BETA2 = 0.95
"""A shorter memory of squared gradients than the default .999: runs here are hundreds of steps, not thousands."""

_Item = dict[str, torch.Tensor]


class Pulse(TrainerCallback):
    """Tells progress and keeps the last training loss."""

    def __init__(self, progress: Callable[[int, int, float], None] | None) -> None:
        self.train_loss = float("nan")
        self._progress = progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Log at the last step, whatever the interval."""
        control.should_log |= state.global_step >= state.max_steps

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Pass on the mean loss since the last log."""
        entry = state.log_history[-1]
        if "loss" in entry:
            self.train_loss = float(entry["loss"])
            if self._progress is not None:
                self._progress(state.global_step, state.max_steps, self.train_loss)


class LengthBatches(Sampler[int]):
    """Batches of equally long examples, in random order.

    transformers' own grouping by length runs from long to short within each large group: neighbouring steps then see
    one kind of example each, and the fit forgets the others.

    Args:
        lengths: [N] tokens of each example.
        batch_size: Examples a batch.
        seed: Of all epochs; each epoch is another order.
    """

    _POOL = 20
    """Batches that are sorted together: enough to waste little padding, few enough to mix."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = torch.tensor(lengths)
        self._batch_size = batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(len(self._lengths), generator=self._generator)
        pools = [pool[self._lengths[pool].argsort(stable=True)] for pool in order.split(self._POOL * self._batch_size)]
        batches = [batch for pool in pools for batch in pool.split(self._batch_size)]
        # The short batch stays last: the Trainer cuts the stream of indices into batches by count.
        whole = [batch for batch in batches if len(batch) == self._batch_size]
        ragged = [batch for batch in batches if len(batch) < self._batch_size]
        shuffled = [whole[i] for i in torch.randperm(len(whole), generator=self._generator)]
        return (int(i) for batch in (*shuffled, *ragged) for i in batch)


class LengthBatchTrainer(Trainer):
    """The Trainer, drawing its training batches from `LengthBatches`."""

    def _get_train_sampler(self, train_dataset: object = None) -> LengthBatches:
        lengths = [len(item["input_ids"]) for item in cast(list[_Item], self.train_dataset)]
        return LengthBatches(lengths, self.args.per_device_train_batch_size, self.args.seed)


class Plateau(TrainerCallback):
    """Keeps the weights of the best evaluation, in memory, and stops when none has been better for a while."""

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self.loss = float("inf")
        self._model = model
        self._patience = patience
        self._evaluations_since = 0
        self._weights: dict[str, torch.Tensor] = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Evaluate at the last step, whatever the interval."""
        control.should_evaluate |= state.global_step >= state.max_steps

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Compare with the best so far."""
        loss = float(state.log_history[-1]["eval_loss"])
        if loss < self.loss:
            self.loss = loss
            self._evaluations_since = 0
            self._weights = {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}
            return
        self._evaluations_since += 1
        control.should_training_stop |= self._patience is not None and self._evaluations_since >= self._patience

    def restore(self) -> None:
        """Give the model its best weights. Raises `InputError` if no evaluation was finite."""
        if not self._weights:
            raise InputError("policy training: the validation loss was never finite, expected a smaller learning_rate")
        self._model.load_state_dict(self._weights)


def fit(
    start: Path,
    examples: Sequence[Example],
    out: Path,
    config: TrainPolicy,
    *,
    seed: int,
    validation: Sequence[Example],
    progress: Callable[[int, int, float], None] | None,
) -> dict[str, float]:
    """What `policy.train.train` documents."""
    began = time.perf_counter()
    tokenizer = checkpoint.load_tokenizer(start)
    model = checkpoint.load_model(start, attention="sdpa")
    for name, data in (("examples", examples), ("validation", validation)):
        _check(data, name, model.config.max_position_embeddings)
    if not examples:
        raise InputError("policy training: no examples, expected at least one")

    pulse, plateau = Pulse(progress), Plateau(model, config.patience)
    caches = model.config.use_cache
    with tempfile.TemporaryDirectory() as workspace:
        trainer = LengthBatchTrainer(
            model=model,
            args=_arguments(config, workspace, seed, evaluates=bool(validation)),
            train_dataset=[_item(example) for example in examples],
            eval_dataset=[_item(example) for example in validation] or None,
            data_collator=_collate,
            callbacks=[pulse, plateau] if validation else [pulse],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    steps, epochs = trainer.state.global_step, float(trainer.state.epoch or 0.0)
    result = {"train_loss": pulse.train_loss}
    if validation:
        plateau.restore()
        result["validation_loss"] = plateau.loss
    model.config.use_cache = caches
    checkpoint.save(model, tokenizer, out)
    tokens = round(epochs * sum(len(example.token_ids) for example in examples))
    return result | {"steps": steps, "seconds": time.perf_counter() - began, "tokens": tokens}


def _arguments(config: TrainPolicy, workspace: str, seed: int, *, evaluates: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=workspace,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=max(config.batch_size, _EVAL_BATCH),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        warmup_steps=config.warmup_ratio,
        weight_decay=config.weight_decay,
        lr_scheduler_type="constant_with_warmup" if config.scheduler == "constant" else config.scheduler,
        seed=seed % 2**32,
        adam_beta2=_ADAM_BETA2,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=config.eval_every,
        save_strategy="no",
        logging_steps=1 / _REPORTS,
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )


def _item(example: Example) -> _Item:
    token_ids = torch.tensor(example.token_ids)
    return {"input_ids": token_ids, "labels": token_ids.masked_fill(~torch.tensor(example.loss_mask), _NO_LOSS)}


def _collate(items: Sequence[_Item]) -> _Item:
    """Pad on the right to the longest of the batch.

    No attention mask is needed: attention is causal, so no token sees the padding behind it, and padding has no loss.
    """
    return {
        "input_ids": pad_sequence([item["input_ids"] for item in items], batch_first=True),
        "labels": pad_sequence([item["labels"] for item in items], batch_first=True, padding_value=_NO_LOSS),
    }


def _check(examples: Sequence[Example], name: str, max_positions: int) -> None:
    for i, example in enumerate(examples):
        if len(example.token_ids) > max_positions:
            raise InputError(
                f"policy training: {name}[{i}] has {len(example.token_ids)} tokens, expected at most {max_positions}"
            )
    if examples and not any(any(example.loss_mask[1:]) for example in examples):
        raise InputError(f"policy training: {name} have no token to learn, expected a solution after each prompt")
