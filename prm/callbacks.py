"""What watches a training: the losses it reports, and the best validation loss so far."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mcts.errors import InputError

Progress = Callable[[int, int, float], None]
"""Told the step, the number of steps and the loss, now and then."""


class Report(TrainerCallback):
    """Collects the losses that the Trainer logs, each the mean of a stretch of steps, and tells them on."""

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
        """Pass on the loss since the last log."""
        if logs is None or "loss" not in logs:
            return
        self.losses.append(logs["loss"])
        if self._progress is not None and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, logs["loss"])


class Plateau(TrainerCallback):
    """Keeps the weights of the best evaluation, in memory, and stops when none has been better for a while."""

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self.loss = float("inf")
        self._model = model
        self._patience = patience
        self._since = 0
        self._weights: dict[str, Tensor] = {}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Evaluate at the last step, whatever the interval."""
        control.should_evaluate |= state.global_step >= state.max_steps

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Compare with the best so far."""
        assert metrics is not None
        if metrics["eval_loss"] < self.loss:
            self.loss, self._since = metrics["eval_loss"], 0
            self._weights = {name: weight.detach().clone() for name, weight in self._model.named_parameters()}
            return
        self._since += 1
        control.should_training_stop |= self._patience is not None and self._since >= self._patience

    @torch.no_grad()
    def restore(self) -> None:
        """Give the model its best weights. Raises `InputError` if no evaluation was finite."""
        if not self._weights:
            raise InputError("PRM training: the validation loss is not a number, expected a lower learning_rate")
        for name, weight in self._model.named_parameters():
            weight.copy_(self._weights[name])
