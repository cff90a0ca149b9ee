"""Which loss a policy was trained with, written beside its weights: a scorer needs LaSeR's constants again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from policy.losses import Laser, Loss

FILE = "loss.json"


def write_loss(loss: Loss, folder: Path) -> None:
    """Name the loss, and its constants, in a checkpoint's folder."""
    constants: Any = loss
    record = {"loss": type(loss).__name__, **asdict(constants)}
    (folder / FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def laser_of(folder: Path) -> Laser:
    """LaSeR's constants, with which the policy in `folder` was trained.

    Raises:
        InputError: It was not trained so.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if record.pop("loss") != Laser.__name__:
            raise ValueError
        return Laser(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"prm=laser {folder}: expected a policy that was trained with objective=laser") from error
