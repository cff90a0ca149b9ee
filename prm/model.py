"""Value models: a causal language model with a scalar read at every token, as a plain Hugging Face directory."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from mcts.errors import InputError
from prm.encode import DELIMITER, TEMPLATE, StepEncoder

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


class ValueModel(nn.Module):
    """Either head behind one `forward`.

    Both heads are linear in the last hidden state, so both are read as one probe vector: for the vocabulary head
    w . (W_U h) = (W_U^T w) . h, which spares the vocabulary logits. The product with the probe is summed token by
    token: matrix-vector kernels give a row other last bits in another batch.

    Attributes:
        network: The Hugging Face model.
        activation: `clip` (a progress value, clipped to [0, 1] when read) or `sigmoid` (a probability of success).
    """

    def __init__(self, network: PreTrainedModel, activation: str) -> None:
        super().__init__()
        self.network = network
        self.activation = activation

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """[B, T] tokens to [B, T] values before the activation. Padding, if any, is on the right."""
        body = self._language_model().base_model
        hidden = body(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        weight, bias = self.probe()
        values: Tensor = (hidden.float() * weight).sum(-1) + bias
        return values

    def probe(self) -> tuple[Tensor, Tensor]:
        """The head as a vector [H] on the last hidden state, and its bias [1]."""
        score = self.network.get_submodule("score")
        assert isinstance(score, nn.Linear)
        weight, bias = score.weight, score.bias
        if isinstance(self.network, VocabularyValueModel):
            unembedding = self.network.lm.get_output_embeddings()
            if unembedding.bias is not None:
                bias = bias + weight @ unembedding.bias
            weight = weight @ unembedding.weight
        return weight[0], bias

    def value(self, logit: float) -> float:
        """The activation: a value in [0, 1]. One number at a time: vector kernels give the last few other last bits."""
        if self.activation == CLIP:
            return min(max(logit, 0.0), 1.0)
        odds = math.exp(-abs(logit))
        return (1.0 if logit >= 0.0 else odds) / (1.0 + odds)

    def encoder(self, tokenizer: PreTrainedTokenizerBase) -> StepEncoder:
        """The input format this model was made for."""
        config = self.network.config
        section = getattr(config, _SECTION)
        limit = getattr(config, "max_position_embeddings", None)
        return StepEncoder(tokenizer, section["template"], section["delimiter"], max_tokens=limit)

    def save(self, out: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write a directory that `load` reads; what stood at `out` is replaced in one rename."""
        with _replaced(out) as folder:
            self.network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    def _language_model(self) -> PreTrainedModel:
        if isinstance(self.network, VocabularyValueModel):
            language_model: PreTrainedModel = self.network.lm
            return language_model
        return self.network


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
    config = _read_config(policy)
    tokenizer = read_tokenizer(policy)
    StepEncoder(tokenizer, template, delimiter)
    setattr(config, _SECTION, {"activation": activation, "template": template, "delimiter": delimiter})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if head == HIDDEN:
            config.num_labels = 1
            config.classifier_dropout = 0.0
            network = _read_network(policy, AutoModelForTokenClassification, config, {"score.weight", "score.bias"})
        else:
            network = VocabularyValueModel(config)
            network.lm = _read_network(policy, AutoModelForCausalLM, config, set())
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
    config = _read_config(path)
    name = (config.architectures or ["no architecture"])[0]
    section = getattr(config, _SECTION, None)
    if name == VocabularyValueModel.__name__:
        loader: type[Any] = VocabularyValueModel
    elif name.endswith("ForTokenClassification") and config.num_labels == 1:
        loader = AutoModelForTokenClassification
    else:
        raise InputError(
            f"{path}: holds {name} with {config.num_labels} labels, expected {VocabularyValueModel.__name__} "
            "or a ...ForTokenClassification with one label"
        )
    if not isinstance(section, dict) or section.get("activation") not in ACTIVATIONS:
        raise InputError(f"{path / 'config.json'}: expected a section {_SECTION!r} with an activation and a template")
    config._attn_implementation = attention
    return ValueModel(_read_network(path, loader, config, set()), section["activation"]).eval()


def read_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that `tokenizer.json` describes. Raises `ValueError` if there is none.

    `AutoTokenizer` may go by the model type instead: it reads every Qwen2 directory as Qwen's byte-level BPE.
    """
    if not (path / "tokenizer.json").is_file():
        raise InputError(f"{path}: no tokenizer, expected a tokenizer.json")
    try:
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path / 'tokenizer.json'}: {_first_line(error)}, expected a readable tokenizer") from error
    return tokenizer


def _read_config(path: Path) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no readable config.json ({_first_line(error)})") from error
    return config


def _read_network(path: Path, loader: type[Any], config: PreTrainedConfig, fresh: set[str]) -> PreTrainedModel:
    """Read fp32 weights; those named `fresh` are initialised, any other missing one is an error."""
    try:
        network, report = loader.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{path}: no readable safetensors weights ({_first_line(error)})") from error
    mismatched = {name for name, *_ in report["mismatched_keys"]}
    if unread := sorted((set(report["missing_keys"]) - fresh) | mismatched):
        raise InputError(
            f"{path}: {unread[0]} is missing or of another shape ({len(unread)} in all), "
            f"expected the weights of {type(network).__name__}"
        )
    assert isinstance(network, PreTrainedModel)
    return network


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """An empty sibling directory that takes the place of `out` on clean exit and is removed on error."""
    mark = uuid4().hex[:12]
    sibling, old = out.with_name(f".{out.name}.{mark}.tmp"), out.with_name(f".{out.name}.{mark}.old.tmp")
    sibling.mkdir(parents=True)
    try:
        yield sibling
        if out.exists():
            out.replace(old)
        sibling.replace(out)
    finally:
        if old.exists() and not out.exists():
            old.replace(out)
        shutil.rmtree(sibling, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
