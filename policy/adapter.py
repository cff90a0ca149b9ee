"""LoRA adapters: a small directory beside the checkpoint whose weights it changes (arXiv 2106.09685, PEFT's layout)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mcts.errors import InputError

FILE = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's directory.

    Attributes:
        base: The checkpoint it belongs to; tokenizer and configuration are those of this one.
        rank: Of its matrices.
    """

    path: Path
    base: Path
    rank: int

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The adapter in a directory; None where there is none.

        Raises:
            InputError: Its configuration cannot be read, or its base is not a directory on this machine.
        """
        file = path / FILE
        if not file.is_file():
            return None
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            base, rank = Path(told["base_model_name_or_path"]), int(told["r"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"policy {file}: {error!r}, expected the base_model_name_or_path and r of PEFT") from error
        if not base.is_absolute():
            base = path / base
        if not base.is_dir():
            raise InputError(f"policy {file}: its base {base} is no directory, expected the checkpoint it was made for")
        return cls(path, base, rank)


def base_of(path: Path) -> Path:
    """The directory with tokenizer and configuration: an adapter's base, or the checkpoint itself."""
    adapter = Adapter.at(path)
    return path if adapter is None else adapter.base
