"""Supervised retraining of a policy: settings, and the door to the Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.errors import InputError
from policy.examples import Example

SCHEDULERS = ("cosine", "linear", "constant")


@dataclass(frozen=True, slots=True)
class TrainPolicy:
    """How a policy is fitted.

    Attributes:
        learning_rate: Peak, of AdamW.
        batch_size: Sequences a step.
        epochs: Passes over the examples, unless `max_steps` is given.
        max_steps: Optimizer steps instead of `epochs`.
        warmup_ratio: Share of the steps in which the learning rate rises.
        weight_decay: Of AdamW.
        scheduler: What the learning rate does after warm-up: `cosine` or `linear` to zero, or `constant`.
        patience: Stop after so many evaluations in a row without a better validation loss; None never stops early.
        eval_every: Steps between evaluations; the last step is always evaluated.
    """

    learning_rate: float = 2e-3
    batch_size: int = 32
    epochs: float = 1.0
    max_steps: int | None = None
    warmup_ratio: float = 0.05
    weight_decay: float = 0.01
    scheduler: str = "cosine"
    patience: int | None = None
    eval_every: int = 100

    def __post_init__(self) -> None:
        counts = (self.batch_size, self.eval_every, self.max_steps, self.patience)
        if any(count is not None and count < 1 for count in counts) or self.epochs <= 0:
            raise InputError(f"{self}: expected batch_size, epochs, eval_every, max_steps and patience above 0")
        if self.learning_rate <= 0 or self.weight_decay < 0 or not 0 <= self.warmup_ratio < 1:
            raise InputError(f"{self}: expected learning_rate > 0, weight_decay >= 0 and warmup_ratio in [0, 1)")
        if self.scheduler not in SCHEDULERS:
            raise InputError(f"scheduler {self.scheduler!r}: expected one of {', '.join(SCHEDULERS)}")


def train(
    start: Path,
    examples: Sequence[Example],
    out: Path,
    config: TrainPolicy,
    *,
    seed: int,
    validation: Sequence[Example] = (),
    progress: Callable[[int, int, float], None] | None = None,
) -> dict[str, float]:
    """Fit the policy in `start` to `examples` and write it to `out`: float32, the mean loss of a batch's learnt tokens.

    With validation examples, the weights of the best evaluation are kept. The same arguments give the same weights, bit
    for bit, at the same number of threads. Seeds the global generators of Python, numpy and torch, as the Trainer does.

    Args:
        start: Hugging Face directory to start from.
        examples: Training data; duplicates count as often as they occur.
        out: Replaced if it exists, in one go at the end; may be `start`.
        config: How to fit.
        seed: Of the order of examples.
        validation: Held-out examples.
        progress: Called now and then with the step, the number of steps and the training loss.

    Returns:
        `train_loss` (of the last steps), `validation_loss` (the best; only with validation examples), `steps`,
        `seconds`, `tokens` (trained on, prompts included).

    Raises:
        InputError: Unusable `start`, nothing to learn, or an example longer than the model's context window.
    """
    from policy.fitting import fit

    return fit(start, examples, out, config, seed=seed, validation=validation, progress=progress)
