"""Retraining of a policy: settings, and the door to the Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcts.errors import InputError
from policy.lessons import Lesson
from policy.lora import Lora
from policy.losses import Loss, Supervised

SCHEDULERS = ("cosine", "linear", "constant")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class TrainPolicy:
    """How a policy is fitted.

    Attributes:
        learning_rate: Peak, of AdamW.
        batch_size: Lessons that a device reads at once.
        accumulate: Batches of each device that make an optimizer step.
        epochs: Passes over the lessons, unless `max_steps` is given.
        max_steps: Optimizer steps instead of `epochs`.
        warmup_ratio: Share of the steps in which the learning rate rises.
        weight_decay: Of AdamW.
        beta2: Memory of AdamW's squared gradients; shorter than the usual .999, as runs here are hundreds of steps.
        max_grad_norm: Gradients are scaled down to this norm.
        scheduler: What the learning rate does after warm-up: `cosine` or `linear` to zero, or `constant`.
        precision: What is computed in; weights and moments are float32 with `bfloat16`, too.
        lora: Trains low-rank changes instead of all weights.
        patience: Stop after so many evaluations in a row without a better validation loss; None never stops early.
        eval_every: Steps between evaluations; the last step is always evaluated.
        checkpoint_every: Steps between checkpoints from which a killed training goes on; None makes none.
        launch: Trains on several devices: a command that starts a process for each, such as `accelerate launch
            --num_processes 4`; with `--use_fsdp --fsdp_version 2` they share the weights out. Empty trains in this
            process.
    """

    learning_rate: float = 2e-3
    batch_size: int = 32
    accumulate: int = 1
    epochs: float = 1.0
    max_steps: int | None = None
    warmup_ratio: float = 0.05
    weight_decay: float = 0.01
    beta2: float = 0.95
    max_grad_norm: float = 1.0
    scheduler: str = "cosine"
    precision: str = "float32"
    lora: Lora = field(default_factory=Lora)
    patience: int | None = None
    eval_every: int = 100
    checkpoint_every: int | None = None
    launch: str = ""

    def __post_init__(self) -> None:
        counts = ("batch_size", "accumulate", "max_steps", "patience", "eval_every", "checkpoint_every")
        for name in counts:
            if (count := getattr(self, name)) is not None and count < 1:
                raise InputError(f"{name} {count}: expected a number above 0")
        for name in ("learning_rate", "epochs", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)}: expected a number above 0")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay {self.weight_decay}: expected 0 or more")
        if not 0 <= self.warmup_ratio < 1:
            raise InputError(f"warmup_ratio {self.warmup_ratio}: expected a number in [0, 1)")
        if not 0 < self.beta2 < 1:
            raise InputError(f"beta2 {self.beta2}: expected a number in (0, 1)")
        if self.scheduler not in SCHEDULERS:
            raise InputError(f"scheduler {self.scheduler!r}: expected one of {', '.join(SCHEDULERS)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}: expected one of {', '.join(PRECISIONS)}")


def train(
    start: Path,
    lessons: Sequence[Lesson],
    out: Path,
    config: TrainPolicy,
    *,
    loss: Loss = Supervised(),  # noqa: B008 - frozen
    reference: Path | None = None,
    seed: int,
    validation: Sequence[Lesson] = (),
    progress: Callable[[int, int, float], None] | None = None,
    scratch: Path | None = None,
    loggers: Sequence[str] = (),
    logs: Path | None = None,
) -> dict[str, float]:
    """Fit the policy in `start` to `lessons` and write it to `out`, in float32.

    With validation lessons, the weights of the best evaluation are kept. The same arguments give the same weights, bit
    for bit, at the same number of threads. Seeds the global generators of Python, numpy and torch, as the Trainer does.
    Where several processes call this together with the same arguments, as under `accelerate launch`, they share the
    batches and the first writes.

    Args:
        start: Hugging Face directory to start from.
        lessons: Of the loss's kind; duplicates count as often as they occur.
        out: Replaced if it exists, in one go at the end; may be `start`.
        config: How to fit.
        loss: What the lessons cost.
        reference: The frozen policy that the loss compares with, if it does; `start` by default.
        seed: Of the order of lessons.
        validation: Held-out lessons.
        progress: Called now and then with the step, the number of steps and the training loss.
        scratch: A folder for the checkpoints of `config.checkpoint_every`. Called again with the same arguments, a
            killed training goes on from the last one, to the same weights.
        loggers: Names of `policy.loggers`, which write beneath `logs`.

    Returns:
        `train_loss` (of the last steps), `validation_loss` (the best; only with validation lessons), `steps`,
        `seconds`, `tokens` (of the lessons trained on, prompts included).

    Raises:
        InputError: Unusable `start`, nothing to learn, or a lesson longer than the model's context window.
    """
    fit: Callable[..., dict[str, float]]
    if config.launch:
        from policy.launched import launch as fit
    else:
        from policy.fitting import fit

    return fit(
        start,
        lessons,
        out,
        config,
        loss=loss,
        reference=reference,
        seed=seed,
        validation=validation,
        progress=progress,
        scratch=scratch,
        loggers=loggers,
        logs=logs,
    )
