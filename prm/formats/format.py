"""What a format has to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from prm.checkpoint import read_config, read_network
from prm.encode import Encoder
from prm.heads import Head
from prm.model import SIGMOID, StepModel


class Verdict(NamedTuple):
    """Two tokens of the vocabulary: the value is the softmax of the first over both, where they would come next."""

    good: int
    bad: int


class Format(Protocol):
    """How a PRM is laid out on disk, what it is shown, and where it is read.

    All are causal: one logit at some token of each step, and an activation. All heads but one are linear in the last
    hidden state: a softmax of two is the sigmoid of their difference, and that of two tokens' logits is so in the
    difference of their rows of the unembedding.

    Attributes:
        is_trainable: Whether a trained model is written as it was read: by a class of transformers' own, or ours.
    """

    is_trainable: bool

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """Whether config.json alone tells that a checkpoint is of this format."""

    def fits(self, config: PreTrainedConfig) -> bool:
        """Whether a checkpoint with this config.json can be of this format."""

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """What the PRM is shown."""

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model in float32, with eager attention, in evaluation mode. Raises `InputError` if it cannot be read."""

    def activation(self, config: PreTrainedConfig) -> str:
        """What makes a value of a logit; see `prm.model.StepModel`."""

    def verdict(self, tokenizer: PreTrainedTokenizerBase) -> Verdict | None:
        """The tokens that the value is read from; None where the checkpoint has a head of its own."""


class PublishedModel(StepModel):
    """The model of others: values are probabilities."""

    def __init__(self, network: PreTrainedModel, head_of: Callable[[PreTrainedModel], Head]) -> None:
        super().__init__(network, SIGMOID)
        self._head_of = head_of

    def head(self) -> Head:
        """What reads the last hidden state."""
        return self._head_of(self.network)


class Published(ABC):
    """What the formats of others have in common: a head that gives a probability."""

    is_trainable = False

    @abstractmethod
    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """Whether config.json alone tells that a checkpoint is of this format."""

    def fits(self, config: PreTrainedConfig) -> bool:
        """What config.json tells, and nothing else."""
        return self.is_told_by(config)

    def activation(self, config: PreTrainedConfig) -> str:
        """A probability."""
        return SIGMOID

    def verdict(self, tokenizer: PreTrainedTokenizerBase) -> Verdict | None:
        """None: a head of its own."""
        return None


def architecture_of(config: PreTrainedConfig) -> str:
    """The first architecture that a configuration names, or nothing."""
    return str((config.architectures or [""])[0])


def read_published(path: Path, loader: type[Any], head_of: Callable[[PreTrainedModel], Head]) -> StepModel:
    """The model of a directory, in float32, with eager attention, in evaluation mode.

    Args:
        path: The directory.
        loader: The class of its network, or an auto class.
        head_of: Reads the head off the network.
    """
    config = read_config(path)
    config._attn_implementation = "eager"
    return PublishedModel(read_network(path, loader, config, set()), head_of).eval()
