"""Where figures of a training may go beside the report: TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from mcts.errors import InputError

LOGGERS = ("tensorboard", "wandb")


def logger_callbacks(names: Sequence[str], folder: Path | None) -> list[TrainerCallback]:
    """The Trainer's callbacks that write figures beneath `folder`.

    Weights & Biases stays offline (`wandb sync` sends its folder) unless the environment has another `WANDB_MODE`.

    Raises:
        InputError: No such logger, its package is missing, or there is no folder.
    """
    for name in names:
        if name not in LOGGERS:
            raise InputError(f"logger {name!r}: expected one of {', '.join(LOGGERS)}")
        if not _is_installed(name):
            raise InputError(f"logger {name}: its package is not installed, expected `pip install {name}`")
        if folder is None:
            raise InputError(f"logger {name}: has no folder to write to, expected one")
    return [_CALLBACKS[name](folder / name) for name in names if folder is not None]


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _tensorboard(folder: Path) -> TrainerCallback:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    return TensorBoardCallback(SummaryWriter(log_dir=str(folder)))


def _wandb(folder: Path) -> TrainerCallback:
    from transformers.integrations.integration_utils import WandbCallback

    class OneRun(WandbCallback):
        """A run of its own for each training."""

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            super().on_train_end(*args, **kwargs)
            self._wandb.finish()

    folder.mkdir(parents=True, exist_ok=True)
    for name, value in {"WANDB_MODE": "offline", "WANDB_PROJECT": "regrow", "WANDB_SILENT": "true"}.items():
        os.environ.setdefault(name, value)
    os.environ["WANDB_DIR"] = str(folder)
    callback: Any = OneRun
    made: TrainerCallback = callback()
    return made


_CALLBACKS = {"tensorboard": _tensorboard, "wandb": _wandb}
