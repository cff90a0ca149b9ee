"""Qwen2.5-Math-PRM: a chat whose reply marks the end of each step, read by a small perceptron of two classes.

Source: arXiv 2501.07301 and the model card of Qwen2.5-Math-PRM-7B.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from prm.formats.published import PublishedEncoder, Words, as_a_whole, chat, up_to_each
from prm.heads import Perceptron, Probe
from prm.model import StepModel

ARCHITECTURE = "Qwen2ForProcessRewardModel"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
TAG = "<extra_0>"
_WORDS = Words(landmark=("<|im_start|>", 151_644), ids={TAG: 151_651})


class QwenPrmNetwork(Qwen2PreTrainedModel):
    """The layout of its weights: `model.*`, `score.0` (H to H), ReLU, `score.2` (H to 2)."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.score = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size), nn.ReLU(), nn.Linear(config.hidden_size, 2)
        )
        self.post_init()  # type: ignore[no-untyped-call]


class QwenPrm(Published):
    """Steps are read at their tag; the value is the softmax of the second class."""

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """By its architecture."""
        return architecture_of(config) == ARCHITECTURE

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """System prompt, question, and the steps with a tag after each."""
        _WORDS.id_of(tokenizer, TAG)

        def render(question: str, texts: Sequence[str]) -> list[str]:
            reply = "".join(text + TAG for text in texts)
            messages = (("system", SYSTEM), ("user", question), ("assistant", reply))
            turns = [{"role": role, "content": content} for role, content in messages]
            return up_to_each(TAG, chat(tokenizer, turns, opens_reply=False), question, len(texts))

        return PublishedEncoder(tokenizer, config, as_a_whole(tokenizer, render, adds_special=False), tag=TAG)

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model."""
        return read_published(path, QwenPrmNetwork, _head)


def _head(network: PreTrainedModel) -> Perceptron:
    first, last = network.get_submodule("score.0"), network.get_submodule("score.2")
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return Perceptron(first, Probe.between(last, good=1, bad=0))
