"""Our own format; its layout and head are in `prm.model`, its encoder in `prm.encode`."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from prm.encode import Encoder
from prm.model import StepModel, encoder_of, is_described_by, load, section_of


class Regrow:
    """A value model as `prm.model.create` and `prm.train` write it."""

    is_trainable = True

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """By its section."""
        return is_described_by(config)

    def fits(self, config: PreTrainedConfig) -> bool:
        """With any architecture; `load` says what is wrong with it."""
        return is_described_by(config)

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """The template, and steps closed by the delimiter."""
        return encoder_of(config, tokenizer)

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model."""
        return load(path, attention="eager")

    def activation(self, config: PreTrainedConfig) -> str:
        """As it was trained."""
        return section_of(config)["activation"]

    def verdict(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """None: a head of its own."""
