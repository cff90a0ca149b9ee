"""Where figures of a training may go beside the report: TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

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
        if importlib.util.find_spec(name) is None:
            raise InputError(f"logger {name}: its package is not installed, expected `pip install {name}`")
        if folder is None:
            raise InputError(f"logger {name}: has no folder to write to, expected one")
    return [_CALLBACKS[name](folder / name) for name in names if folder is not None]


def _tensorboard(folder: Path) -> TrainerCallback:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    return TensorBoardCallback(SummaryWriter(log_dir=str(folder)))


def _wandb(folder: Path) -> TrainerCallback:
    from transformers.integrations.integration_utils import WandbCallback

    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_MODE", "offline")
    os.environ["WANDB_DIR"] = str(folder)
    return WandbCallback()


_CALLBACKS = {"tensorboard": _tensorboard, "wandb": _wandb}
