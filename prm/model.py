"""Value models: a causal language model with a scalar read at every token, as a plain Hugging Face directory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mcts.errors import InputError
from prm.checkpoint import read_config, read_network, read_tokenizer, replaced
from prm.encode import DELIMITER, TEMPLATE, StepEncoder
from prm.heads import Head, Probe

HIDDEN, VOCABULARY = "hidden", "vocabulary"
HEADS = (HIDDEN, VOCABULARY)
CLIP, SIGMOID = "clip", "sigmoid"
ACTIVATIONS = (CLIP, SIGMOID)

_SECTION = "prm"
"""Key of config.json that holds the activation and the input format."""


class VocabularyValueModel(PreTrainedModel):
    """The value head of ReST-MCTS*: a linear map from the vocabulary logits to one value.

    Loaded by the name in `architectures` of config.json; `config` is that of the language model.
    """

    config_class = PreTrainedConfig
    base_model_prefix = "lm"
    _supports_sdpa = True

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.lm = AutoModelForCausalLM.from_config(config)
        self.score = nn.Linear(config.vocab_size, 1)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """[B, T] tokens to [B, T] values before the activation, as the paper writes it."""
        logits = self.lm(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        values: Tensor = self.score(logits).squeeze(-1)
        return values


class StepModel(nn.Module, ABC):
    """What a scorer asks: one logit at every token, and the value it stands for.

    Attributes:
        network: The Hugging Face model, its head included.
        activation: `clip` (a progress value, clipped to [0, 1] when read) or `sigmoid` (a probability of success).
    """

    def __init__(self, network: PreTrainedModel, activation: str) -> None:
        super().__init__()
        self.network = network
        self.activation = activation

    def body(self) -> PreTrainedModel:
        """The network without any head."""
        body = self.network.base_model
        assert isinstance(body, PreTrainedModel)
        return body

    @abstractmethod
    def head(self) -> Head:
        """What reads the last hidden state."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """[B, T] tokens to [B, T] values before the activation. Padding, if any, is on the right."""
        hidden = self.body()(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        # Whatever the body is computed in: a head has few numbers, and a value stands or falls with their last bits.
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head()(hidden.float())

    def value(self, logit: float) -> float:
        """The activation: a value in [0, 1]."""
        return value_of(logit, self.activation)

    def save(self, out: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write a directory in the layout that was read; what stood at `out` is replaced in one rename."""
        with replaced(out) as folder:
            self.network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)


class ValueModel(StepModel):
    """Our own: either head behind one `forward`.

    Both heads are linear in the last hidden state, so both are read as one probe vector: for the vocabulary head
    w . (W_U h) = (W_U^T w) . h, which spares the vocabulary logits.
    """

    def body(self) -> PreTrainedModel:
        """The language model without any head."""
        body = self._language_model().base_model
        assert isinstance(body, PreTrainedModel)
        return body

    def head(self) -> Probe:
        """The head as a vector on the last hidden state."""
        score = self.network.get_submodule("score")
        assert isinstance(score, nn.Linear)
        weight, bias = score.weight, score.bias
        if isinstance(self.network, VocabularyValueModel):
            unembedding = self.network.lm.get_output_embeddings()
            if unembedding.bias is not None:
                bias = bias + weight @ unembedding.bias
            weight = weight @ unembedding.weight
        return Probe(weight[0], bias)

    def encoder(self, tokenizer: PreTrainedTokenizerBase) -> StepEncoder:
        """The input format this model was made for."""
        return encoder_of(self.network.config, tokenizer)

    def _language_model(self) -> PreTrainedModel:
        if isinstance(self.network, VocabularyValueModel):
            language_model: PreTrainedModel = self.network.lm
            return language_model
        return self.network


def value_of(logit: float, activation: str) -> float:
    """The value in [0, 1] that a logit stands for; NaN stays NaN.

    One number at a time: vector kernels give the last few other last bits.
    """
    if math.isnan(logit):
        return math.nan
    if activation == CLIP:
        return min(max(logit, 0.0), 1.0)
    odds = math.exp(-abs(logit))
    return (1.0 if logit >= 0.0 else odds) / (1.0 + odds)


def encoder_of(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> StepEncoder:
    """The input format that a configuration describes."""
    section = section_of(config)
    limit = getattr(config, "max_position_embeddings", None)
    return StepEncoder(tokenizer, section["template"], section["delimiter"], max_tokens=limit)


def is_described_by(config: PreTrainedConfig) -> bool:
    """Whether a configuration says that it is of a model of ours."""
    return hasattr(config, _SECTION)


def section_of(config: PreTrainedConfig) -> dict[str, str]:
    """Activation and input format. Raises `InputError` if the configuration has none."""
    section = getattr(config, _SECTION, None)
    if not isinstance(section, dict) or section.get("activation") not in ACTIVATIONS:
        where = f"{config.name_or_path}/config.json"
        raise InputError(f"{where}: expected a section {_SECTION!r} with an activation and a template")
    return section


def create(
    policy: Path,
    out: Path,
    *,
    head: str = HIDDEN,
    activation: str = CLIP,
    seed: int = 0,
    template: str = TEMPLATE,
    delimiter: str = DELIMITER,
) -> None:
    """Write a value model with the policy's body and a fresh head.

    Args:
        policy: Directory of a causal language model and its tokenizer.
        head: `hidden`, a linear map of the last hidden state (`...ForTokenClassification` with one label), or
            `vocabulary`, a linear map of the vocabulary logits (ReST-MCTS*).
        activation: `clip` or `sigmoid`, see `ValueModel`.
        seed: Of the head's weights.
        template: Prompt of the model, with `{question}`.
        delimiter: Text that closes a step.

    Raises:
        ValueError: An unknown head or activation, or `policy` is not a readable model directory.
    """
    if head not in HEADS:
        raise InputError(f"PRM head {head!r}: expected one of {', '.join(HEADS)}")
    if activation not in ACTIVATIONS:
        raise InputError(f"PRM activation {activation!r}: expected one of {', '.join(ACTIVATIONS)}")
    config = read_config(policy)
    tokenizer = read_tokenizer(policy)
    StepEncoder(tokenizer, template, delimiter)
    setattr(config, _SECTION, {"activation": activation, "template": template, "delimiter": delimiter})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if head == HIDDEN:
            config.num_labels = 1
            config.classifier_dropout = 0.0
            network = read_network(policy, AutoModelForTokenClassification, config, {"score.weight", "score.bias"})
        else:
            network = VocabularyValueModel(config)
            network.lm = read_network(policy, AutoModelForCausalLM, config, set())
            network.score.reset_parameters()
    ValueModel(network, activation).save(out, tokenizer)


def load(path: Path, *, attention: str = "eager") -> ValueModel:
    """Read a directory that `create` or training wrote, with fp32 weights, in evaluation mode.

    Args:
        path: The directory.
        attention: Implementation, `eager` or `sdpa`.

    Raises:
        ValueError: Weights are missing or damaged, or the directory holds no value model.
    """
    config = read_config(path)
    name = (config.architectures or ["no architecture"])[0]
    if name == VocabularyValueModel.__name__:
        loader: type[Any] = VocabularyValueModel
    elif name.endswith("ForTokenClassification") and config.num_labels == 1:
        loader = AutoModelForTokenClassification
    else:
        raise InputError(
            f"{path}: holds {name} with {config.num_labels} labels, expected {VocabularyValueModel.__name__} "
            "or a ...ForTokenClassification with one label"
        )
    section = section_of(config)
    config._attn_implementation = attention
    return ValueModel(read_network(path, loader, config, set()), section["activation"]).eval()
