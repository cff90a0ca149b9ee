"""TRL's PRM trainer: token classification with two labels, read at the end of each step's separator.

Source: Hugging Face TRL, `PRMTrainer`; the separator is its default.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn
from transformers import AutoModelForTokenClassification, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from prm.encode import Encoder
from prm.formats.format import Published, architecture_of, read_published
from prm.formats.published import PublishedEncoder, in_parts
from prm.heads import Probe
from prm.model import StepModel

SEPARATOR = "\n"


class Trl(Published):
    """The value is the softmax of the second label."""

    is_trainable = True

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """By two labels of tokens."""
        return architecture_of(config).endswith("ForTokenClassification") and config.num_labels == 2

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """The question, and each step with the separator after it."""
        return PublishedEncoder(tokenizer, config, in_parts(tokenizer, "{question}", SEPARATOR), tag=SEPARATOR)

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model."""
        return read_published(path, AutoModelForTokenClassification, _head)


def _head(network: PreTrainedModel) -> Probe:
    score = network.get_submodule("score")
    assert isinstance(score, nn.Linear)
    return Probe.between(score, good=1, bad=0)
