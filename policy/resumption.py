"""Checkpoints within a training: whole or not there, in safetensors and JSON alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Trainer

from policy.callbacks import Plateau, assign, trainable

_PREFIX = "checkpoint-"
_WEIGHTS, _OPTIMIZER, _BEST = "weights.safetensors", "optimizer.safetensors", "best.safetensors"
_STATE, _NUMBERS = "trainer_state.json", "numbers.json"


class ResumableTrainer(Trainer):
    """The Trainer, leaving checkpoints from which a killed training goes on to the same weights, bit for bit.

    Its own checkpoints hold pickles, and one that was killed in the writing looks like a whole one.

    Attributes:
        plateau: Also kept, where there is one.
    """

    plateau: Plateau | None = None

    def _save_checkpoint(self, model: object, trial: object) -> None:
        if self.control.should_training_stop:
            return  # It is over: whoever resumed here would go a step too far.
        target = Path(str(self.args.output_dir)) / f"{_PREFIX}{self.state.global_step}"
        folder = target.with_name(f".{target.name}.tmp")
        if self.args.should_save:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._write(folder)
        self.accelerator.wait_for_everyone()
        save_file(dict(_random_states()), folder / _random_file(self.args.process_index))
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            older = list(checkpoints(target.parent))
            folder.rename(target)
            for one in older:
                shutil.rmtree(one)
        self.accelerator.wait_for_everyone()

    def _write(self, folder: Path) -> None:
        model, optimizer, scheduler = self.model, self.optimizer, self.lr_scheduler
        assert model is not None
        assert optimizer is not None
        assert scheduler is not None
        told = optimizer.state_dict()
        moments = {
            f"{i}.{name}": value.contiguous() for i, state in told["state"].items() for name, value in state.items()
        }
        numbers = {"param_groups": told["param_groups"], "scheduler": scheduler.state_dict()}
        save_file({name: weights.contiguous() for name, weights in trainable(model).items()}, folder / _WEIGHTS)
        save_file(moments, folder / _OPTIMIZER)
        if self.plateau is not None:
            best, numbers["plateau"] = self.plateau.state()
            save_file(best, folder / _BEST)
        (folder / _NUMBERS).write_text(json.dumps(numbers), encoding="utf-8")
        self.state.save_to_json(str(folder / _STATE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        folder = Path(resume_from_checkpoint)
        assert self.model is not None
        assign(self.model, load_file(folder / _WEIGHTS))
        if self.plateau is not None:
            device = str(next(self.model.parameters()).device)
            self.plateau.load(load_file(folder / _BEST, device=device), _numbers(folder)["plateau"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        numbers = _numbers(Path(checkpoint))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(Path(checkpoint) / _OPTIMIZER).items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({"state": moments, "param_groups": numbers["param_groups"]})
        self.lr_scheduler.load_state_dict(numbers["scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        states = load_file(Path(checkpoint) / _random_file(self.args.process_index))
        torch.set_rng_state(states["cpu"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])


def checkpoints(folder: Path) -> Iterator[Path]:
    """The whole checkpoints in a folder, oldest first."""
    yield from sorted(folder.glob(f"{_PREFIX}*"), key=lambda path: int(path.name.removeprefix(_PREFIX)))


def _numbers(folder: Path) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))
    return numbers


def _random_file(process: int) -> str:
    return f"random-{process}.safetensors"


def _random_states() -> Iterator[tuple[str, Tensor]]:
    yield "cpu", torch.get_rng_state()
    if torch.cuda.is_available():
        yield "cuda", torch.cuda.get_rng_state()
