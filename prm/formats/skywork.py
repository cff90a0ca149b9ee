"""Skywork-o1-Open-PRM: lines, and a linear value head (of TRL's making) read at the end of each.

Source: SkyworkAI/skywork-o1-prm-inference and the model card of Skywork-o1-Open-PRM-Qwen-2.5-7B.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2Model,
    Qwen2PreTrainedModel,
)

from prm.encode import Encoder
from prm.formats.format import Published, architecture_of, read_published
from prm.formats.published import PublishedEncoder, in_parts
from prm.heads import Probe
from prm.model import StepModel

ARCHITECTURE = "Qwen2ForPrmModel"
SEPARATOR = "\n"


class SkyworkNetwork(Qwen2PreTrainedModel):
    """The layout of its weights: `model.*`, `v_head.summary` (H to 1); an unembedding beside them is not read."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.v_head = nn.ModuleDict({"summary": nn.Linear(config.hidden_size, 1)})
        self.post_init()  # type: ignore[no-untyped-call]


class Skywork(Published):
    """Steps are read at the end of their line; the value is the sigmoid of the head."""

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """By its architecture."""
        return architecture_of(config) == ARCHITECTURE

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """A line for the question, and one for each step."""
        return PublishedEncoder(tokenizer, config, in_parts(tokenizer, "{question}\n", SEPARATOR), tag=SEPARATOR)

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model."""
        return read_published(path, SkyworkNetwork, _head)


def _head(network: PreTrainedModel) -> Probe:
    summary = network.get_submodule("v_head.summary")
    assert isinstance(summary, nn.Linear)
    return Probe(summary.weight[0], summary.bias)
