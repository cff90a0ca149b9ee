"""Retraining a PRM on labelled steps, with the Hugging Face Trainer and fp32 master weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mcts.errors import InputError
from prm.checkpoint import read_tokenizer
from prm.encode import StepEncoder
from prm.labels import LabelledState
from prm.model import CLIP, ValueModel, load

Example = dict[str, Tensor]
"""One solution: input_ids [T], positions, targets and weights [steps + 1]."""

Progress = Callable[[int, int, float], None]
"""Told the step, the number of steps and the loss, now and then."""

SCHEDULES = ("linear", "cosine", "constant_with_warmup")

_REPORTS = 100
_ADAM_BETA2 = 0.95
"""A shorter memory of squared gradients than the default .999: runs here are hundreds of steps, not thousands."""


@dataclass(frozen=True, slots=True)
class TrainPrm:
    """How a PRM is trained.

    Attributes:
        learning_rate: Peak of AdamW's, after warm-up.
        batch_size: Solutions a step.
        epochs: Passes over the data, if `max_steps` is None.
        max_steps: Optimiser steps; decides over `epochs`.
        warmup_ratio: Share of the steps over which the learning rate rises.
        schedule: What follows warm-up: `linear` or `cosine` to 0, or `constant_with_warmup`.
        weight_decay: AdamW's.
        max_grad_norm: Gradients are scaled down to this norm.
        root_weight: Weight of the bare problem's label in the loss; that of a step is 1.

    Raises:
        ValueError: A field is out of its range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 32
    epochs: float = 1.0
    max_steps: int | None = None
    warmup_ratio: float = 0.05
    schedule: str = "linear"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    root_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "epochs", "max_steps", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"PRM training {name}={value}: expected more than 0")
        for name in ("weight_decay", "root_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"PRM training {name}={getattr(self, name)}: expected 0 or more")
        if not 0.0 <= self.warmup_ratio <= 1.0:
            raise InputError(f"PRM training warmup_ratio={self.warmup_ratio}: expected a share in [0, 1]")
        if self.schedule not in SCHEDULES:
            raise InputError(f"PRM training schedule={self.schedule}: expected one of {', '.join(SCHEDULES)}")


class Objective(nn.Module):
    """The loss of a value model at the labelled prefixes: squared error, or cross-entropy for probabilities."""

    def __init__(self, model: ValueModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, positions: Tensor, targets: Tensor, weights: Tensor
    ) -> dict[str, Tensor]:
        """The weighted mean over prefixes.

        Args:
            input_ids: [B, T], padded on the right.
            attention_mask: [B, T], 0 at padding.
            positions: [B, K] index of the last token of each prefix.
            targets: [B, K] in [0, 1], anything where the weight is 0.
            weights: [B, K], 0 where a prefix has no label or does not exist.
        """
        logits = self.model(input_ids, attention_mask).gather(1, positions)
        loss = mse_loss if self.model.activation == CLIP else binary_cross_entropy_with_logits
        return {"loss": (weights * loss(logits, targets, reduction="none")).sum() / weights.sum()}


def train(
    start: Path,
    data: Sequence[LabelledState],
    out: Path,
    config: TrainPrm,
    *,
    seed: int,
    validation: Sequence[LabelledState] = (),
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train the value model of `start` on `data` and write it to `out`, whole or not at all.

    The same arguments give the same weights, bit for bit, on the same machine and number of threads.

    Returns:
        steps, examples, labels, seconds, the mean `loss` of the last tenth of the steps and, with `validation` data,
        `validation_loss` after training.

    Raises:
        ValueError: `start` is no value model, no data carries a label, an input cannot be encoded, or the loss is not
            a number any more.
    """
    began = time.perf_counter()
    model = load(start, attention="sdpa")
    tokenizer = read_tokenizer(start)
    encoder = model.encoder(tokenizer)
    examples = _examples(encoder, data, config.root_weight)
    if not examples:
        raise InputError(f"PRM training from {start}: none of {len(data)} solutions carries a label, expected some")
    held_out = _examples(encoder, validation, config.root_weight)
    objective = Objective(model.train())
    losses = _fit(objective, examples, config, seed, progress)
    late = losses[-max(1, len(losses) // 10) :]
    result = {
        "steps": float(_steps(config, len(examples))),
        "examples": float(len(examples)),
        "labels": float(sum(int(example["weights"].count_nonzero()) for example in examples)),
        "loss": sum(late) / len(late),
    }
    if held_out:
        result["validation_loss"] = _mean_loss(objective, held_out, config.batch_size)
    if not all(map(math.isfinite, result.values())):
        raise InputError(f"PRM training from {start}: the loss is not a number, expected a lower learning_rate")
    model.eval().save(out, tokenizer)
    return result | {"seconds": time.perf_counter() - began}


def _fit(
    objective: Objective, examples: list[Example], config: TrainPrm, seed: int, progress: Progress | None
) -> list[float]:
    """Run the Trainer. Returns the mean loss of each reported stretch of steps."""
    steps = _steps(config, len(examples))
    report = _Report(progress)
    with TemporaryDirectory(prefix="prm-train-") as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            seed=seed % (1 << 32),
            max_steps=steps,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type=config.schedule,
            warmup_steps=round(config.warmup_ratio * steps),
            weight_decay=config.weight_decay,
            max_grad_norm=config.max_grad_norm,
            adam_beta2=_ADAM_BETA2,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            logging_steps=max(1, steps // _REPORTS),
            logging_nan_inf_filter=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=objective, args=arguments, train_dataset=examples, data_collator=_collate, callbacks=[report]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return report.losses


def _steps(config: TrainPrm, count: int) -> int:
    return config.max_steps or max(1, math.ceil(config.epochs * math.ceil(count / config.batch_size)))


class _Report(TrainerCallback):
    """Collects the losses that the Trainer logs and tells them on."""

    def __init__(self, progress: Progress | None) -> None:
        self.losses: list[float] = []
        self._progress = progress

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if logs is None or "loss" not in logs:
            return
        self.losses.append(logs["loss"])
        if self._progress is not None:
            self._progress(state.global_step, state.max_steps, logs["loss"])


def _examples(encoder: StepEncoder, data: Sequence[LabelledState], root_weight: float) -> list[Example]:
    """Encode the solutions that carry any loss."""
    examples = []
    for item in data:
        encoded = encoder.encode(item.state.problem.question, item.state.steps)
        targets = torch.tensor(item.labels)
        weights = torch.ones_like(targets)
        weights[0] = root_weight
        weights[targets.isnan()] = 0.0
        if weights.any():
            examples.append(
                {
                    "input_ids": torch.tensor(encoded.token_ids),
                    "positions": torch.tensor(encoded.positions),
                    "targets": targets.nan_to_num(0.0),
                    "weights": weights,
                }
            )
    return examples


def _collate(examples: Sequence[Example]) -> Example:
    """Pad on the right to the longest. Padded prefixes point at the first token and weigh nothing."""
    batch = {name: pad_sequence([example[name] for example in examples], batch_first=True) for name in examples[0]}
    present = [torch.ones_like(example["input_ids"]) for example in examples]
    return batch | {"attention_mask": pad_sequence(present, batch_first=True)}


@torch.no_grad()
def _mean_loss(objective: Objective, examples: list[Example], batch_size: int) -> float:
    """The loss over all labels of `examples`."""
    objective.eval()
    device = next(objective.parameters()).device
    ordered = sorted(examples, key=lambda example: len(example["input_ids"]))
    total = weight = 0.0
    for start in range(0, len(ordered), batch_size):
        batch = {name: values.to(device) for name, values in _collate(ordered[start : start + batch_size]).items()}
        here = float(batch["weights"].sum())
        total += float(objective(**batch)["loss"]) * here
        weight += here
    return total / weight
