"""Retraining of a PRM: settings, and the door to the Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcts.errors import InputError

if TYPE_CHECKING:
    from prm.labels import LabelledState

SCHEDULES = ("linear", "cosine", "constant_with_warmup")
PRECISIONS = ("float32", "bfloat16")

AUTO, PAIRWISE = "auto", "pairwise"
LOSSES = (AUTO, PAIRWISE)
"""`auto`: `prm.losses.Pointwise`, squared error or cross-entropy by the model's activation; `prm.losses.Pairwise`."""


@dataclass(frozen=True, slots=True)
class TrainPrm:
    """How a PRM is trained.

    Attributes:
        learning_rate: Peak of AdamW's, after warm-up.
        batch_size: Solutions, or comparisons, that a device reads at once.
        accumulate: Batches of each device that make an optimiser step.
        epochs: Passes over the data, if `max_steps` is None.
        max_steps: Optimiser steps; decides over `epochs`.
        warmup_ratio: Share of the steps over which the learning rate rises.
        schedule: What follows warm-up: `linear` or `cosine` to 0, or `constant_with_warmup`.
        weight_decay: AdamW's.
        beta2: Memory of AdamW's squared gradients; shorter than the usual .999, as runs here are hundreds of steps.
        max_grad_norm: Gradients are scaled down to this norm.
        precision: What is computed in; weights and moments are float32 with `bfloat16`, too.
        root_weight: Weight of the bare problem's label in the loss; that of a step is 1.
        patience: Stop after so many evaluations in a row without a better validation loss; None never stops early.
        eval_every: Steps between evaluations; the last step is always evaluated.

    Raises:
        ValueError: A field is out of its range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 32
    accumulate: int = 1
    epochs: float = 1.0
    max_steps: int | None = None
    warmup_ratio: float = 0.05
    schedule: str = "linear"
    weight_decay: float = 0.01
    beta2: float = 0.95
    max_grad_norm: float = 1.0
    precision: str = "float32"
    root_weight: float = 1.0
    patience: int | None = None
    eval_every: int = 100

    def __post_init__(self) -> None:
        counts = ("batch_size", "accumulate", "max_steps", "patience", "eval_every")
        for name in ("learning_rate", "epochs", "max_grad_norm", *counts):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"PRM training {name}={value}: expected more than 0")
        for name in ("weight_decay", "root_weight"):
            if not getattr(self, name) >= 0:
                raise InputError(f"PRM training {name}={getattr(self, name)}: expected 0 or more")
        for name in ("warmup_ratio", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"PRM training {name}={getattr(self, name)}: expected a number in [0, 1)")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"PRM training {name}={getattr(self, name)}: expected one of {', '.join(known)}")


def train(
    start: Path,
    data: Sequence[LabelledState],
    out: Path,
    config: TrainPrm,
    *,
    loss: str = AUTO,
    format: str | None = None,
    seed: int,
    validation: Sequence[LabelledState] = (),
    progress: Callable[[int, int, float], None] | None = None,
    loggers: Sequence[str] = (),
    logs: Path | None = None,
) -> dict[str, float]:
    """Train the PRM of `start` on `data` and write it to `out`, in float32, whole or not at all.

    With validation data, the weights of the best evaluation are kept. The same arguments give the same weights, bit for
    bit, on the same machine and number of threads. Under `accelerate launch` every process calls this with the same
    arguments, and the first writes.

    Args:
        start: What `prm.model.create` or this wrote, or a published PRM whose format is trained.
        loss: One of `LOSSES`.
        format: A name of `prm.formats`; None goes by the directory's config.json.
        seed: Of the order of the data.
        validation: Held-out solutions.
        progress: Told the step, the number of steps and the loss, now and then.
        loggers: `tensorboard`, `wandb`: the Trainer's own, which write beneath `logs`.

    Returns:
        steps, examples, labels (or pairs), seconds, the mean `loss` of the last tenth of the steps and, with
        `validation` data, `validation_loss`, the best.

    Raises:
        ValueError: `start` is no PRM that is trained, no data carries a label (or no two can be compared), an input
            cannot be encoded, a logger is not installed, or the loss is not a number any more.
    """
    from prm.fitting import fit

    return fit(
        start,
        data,
        out,
        config,
        loss=loss,
        format=format,
        seed=seed,
        validation=validation,
        progress=progress,
        loggers=loggers,
        logs=logs,
    )
