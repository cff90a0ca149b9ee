"""Formats by name: how the PRMs of others, and our own, are laid out and read. One file each."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedConfig

from mcts.errors import InputError
from prm.checkpoint import read_config
from prm.formats.format import Format
from prm.formats.math_shepherd import MathShepherd
from prm.formats.qwen_prm import QwenPrm
from prm.formats.regrow import Regrow
from prm.formats.rlhflow import Rlhflow
from prm.formats.skywork import Skywork
from prm.formats.trl import Trl

OURS = "regrow"
FORMATS: dict[str, Format] = {
    OURS: Regrow(),
    "qwen_prm": QwenPrm(),
    "math_shepherd": MathShepherd(),
    "rlhflow": Rlhflow(),
    "skywork": Skywork(),
    "trl": Trl(),
}


def format_of(name: str | None, config: PreTrainedConfig) -> Format:
    """The format of that name or, for None, the one that a checkpoint's configuration tells.

    Raises:
        InputError: No such name, the configuration tells none, or it is that of another format.
    """
    where = f"{config.name_or_path}: holds {', '.join(config.architectures or ['no architecture'])}"
    if name is None:
        if found := next((one for one in FORMATS.values() if one.is_told_by(config)), None):
            return found
        raise InputError(f"{where}, which tells no format: expected prm.format to be one of {', '.join(FORMATS)}")
    if name not in FORMATS:
        raise InputError(f"PRM format {name!r}: expected one of {', '.join(FORMATS)}")
    if not FORMATS[name].fits(config):
        raise InputError(f"{where}, expected a checkpoint of the format {name}")
    return FORMATS[name]


def trainable_format(name: str | None, path: Path) -> Format:
    """The format of the checkpoint in `path`, as `format_of` finds it.

    Raises:
        InputError: It cannot be found, or what is trained could not be written as it was read.
    """
    config = read_config(path)
    how = format_of(name, config)
    if not how.is_trainable:
        holds = ", ".join(config.architectures or ["no architecture"])
        known = ", ".join(name for name, one in FORMATS.items() if one.is_trainable)
        raise InputError(f"{path}: holds {holds}, which is only read, expected a format that is trained: {known}")
    return how
