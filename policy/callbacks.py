"""What watches a training: progress, and the best validation loss so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mcts.errors import InputError


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
            if self._progress is not None and state.is_world_process_zero:
                self._progress(state.global_step, state.max_steps, self.train_loss)


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
            self._weights = {name: tensor.detach().clone() for name, tensor in trainable(self._model).items()}
            return
        self._evaluations_since += 1
        control.should_training_stop |= self._patience is not None and self._evaluations_since >= self._patience

    def restore(self) -> None:
        """Give the model its best weights. Raises `InputError` if no evaluation was finite."""
        if not self._weights:
            raise InputError("policy training: the validation loss was never finite, expected a smaller learning_rate")
        assign(self._model, self._weights)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """What a checkpoint must hold: the best weights so far, and the numbers."""
        return self._weights, {"loss": self.loss, "evaluations_since": self._evaluations_since}

    def load(self, weights: dict[str, torch.Tensor], numbers: Mapping[str, float]) -> None:
        """Go on from a checkpoint's state."""
        self._weights = weights
        self.loss, self._evaluations_since = float(numbers["loss"]), int(numbers["evaluations_since"])


def trainable(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that training changes, by name; tied ones once."""
    return {name: weights for name, weights in model.named_parameters() if weights.requires_grad}


@torch.no_grad()
def assign(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a model the weights of these names."""
    present = trainable(model)
    for name, tensor in weights.items():
        present[name].copy_(tensor)
