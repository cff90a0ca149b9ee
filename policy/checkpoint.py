"""Policy checkpoints: plain Hugging Face directories, safetensors only, written whole or not at all."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from mcts.errors import InputError, unusable
from policy import adapter

_DECISIVE = ("config.json", "generation_config.json", "tokenizer.json", adapter.FILE)
_FOREIGN = "auto_map"
"""Key of config.json under which a checkpoint names code of its own."""

_EXPECTED = "expected a model_type of transformers"
_SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
)
"""Numbers of config.json that every model of ours needs above 0, where it has them."""


def load_model(path: Path, attention: str) -> PreTrainedModel:
    """The causal language model of a checkpoint, in float32, from this directory alone, an adapter's merged in.

    Args:
        path: A Hugging Face directory, or an adapter's.
        attention: `eager` (quick for one query a row) or `sdpa` (quick for many).

    Raises:
        InputError: No such directory, no safetensors weights, unreadable, or with numbers that are none.
    """
    _require(path, "*.safetensors", "safetensors weights")
    if adapter.Adapter.at(path):
        _require(path, adapter.WEIGHTS, adapter.WEIGHTS)
        return _merged(load_model(adapter.base_of(path), attention), path)
    config = load_config(path)
    loader: Any = AutoModelForCausalLM
    with unusable(f"policy {path}", "a causal language model"), without_progress_bars():
        model, report = loader.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            attn_implementation=attention,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise InputError(f"policy {path}: weights lack {missing[0]} ({len(missing)} missing), expected all")
    if others := sorted(report["mismatched_keys"]):
        name, found, expected = others[0]
        raise InputError(f"policy {path}: {name} is {list(found)}, expected {list(expected)} as config.json says")
    assert isinstance(model, PreTrainedModel)
    check_numbers(model, f"policy {path}")
    return model


def check_numbers(model: nn.Module, where: str) -> None:
    """Look at every weight. Raises `InputError` if one is no finite number: the model's training went astray."""
    for name, weights in model.named_parameters():
        if not torch.isfinite(weights).all():
            raise InputError(f"{where}: {name} has values that are no numbers, expected finite weights")


def _merged(model: PreTrainedModel, path: Path) -> PreTrainedModel:
    """A model with an adapter's changes."""
    from peft import PeftModel

    with unusable(f"policy {path}", "an adapter of its base"), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        merged: PreTrainedModel = PeftModel.from_pretrained(model, str(path), local_files_only=True).merge_and_unload()
    check_numbers(merged, f"policy {path}")
    return merged


def load_config(path: Path) -> PretrainedConfig:
    """The model's configuration.

    Raises:
        InputError: No such directory, no `config.json`, unreadable, or of a model whose code is not transformers' own.
    """
    path = adapter.base_of(path)
    _require(path, "config.json", "a config.json")
    with unusable(f"policy {path / 'config.json'}", "the configuration of a model of transformers"):
        told = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if _FOREIGN in told and told.get("model_type") not in CONFIG_MAPPING:
            raise InputError(f"policy {path}: brings code of its own ({_FOREIGN}), which is never run; {_EXPECTED}")
        config: PretrainedConfig = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        for name in _SIZES:
            if not getattr(config, name, 1) > 0:
                raise ValueError(f"{name} is {getattr(config, name)}, not above 0")
    return config


def named_ends(path: Path) -> int | list[int]:
    """The ends of a sequence that the checkpoint's generation configuration names; none where there is no such file."""
    path = adapter.base_of(path)
    if not (path / "generation_config.json").exists():
        return []
    with unusable(f"policy {path / 'generation_config.json'}", "eos_token_id to be a token's id, or several"):
        found = GenerationConfig.from_pretrained(path, local_files_only=True).eos_token_id
        return [] if found is None else found


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that a checkpoint's `tokenizer.json` describes.

    `AutoTokenizer` may go by the model type instead: it reads every Qwen2 directory as Qwen's byte-level BPE.

    Raises:
        InputError: No such directory, no `tokenizer.json`, or unreadable.
    """
    path = adapter.base_of(path)
    _require(path, "tokenizer.json", "a tokenizer.json")
    with unusable(f"policy {path / 'tokenizer.json'}", "a tokenizer of the tokenizers library"):
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    return tokenizer


def save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a checkpoint to `out`, in place of what stood there; its weights instead of the model's where given."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent) as workspace:
        new, old = Path(workspace, "new"), Path(workspace, "old")
        with without_progress_bars():
            model.save_pretrained(new, state_dict=weights)
        tokenizer.save_pretrained(new)
        if out.exists():
            out.replace(old)
        try:
            new.replace(out)
        except OSError:
            if old.exists():
                old.replace(out)
            raise


def digest(path: Path, *settings: str) -> str:
    """Digest of all in a checkpoint that decides a reply (weights, configuration, tokenizer), and of `settings`.

    That of an adapter covers its base, too.
    """
    hasher = blake2b(digest_size=16)
    if (base := adapter.base_of(path)) != path:
        hasher.update(digest(base).encode())
    files = [*path.glob("*.safetensors"), *(path / name for name in _DECISIVE)]
    for file in sorted(file for file in files if file.is_file()):
        with file.open("rb") as stream:
            content = blake2b(digest_size=16)
            while block := stream.read(1 << 20):
                content.update(block)
        hasher.update(f"{file.name}\0{content.hexdigest()}\0".encode())
    hasher.update("\0".join(settings).encode())
    return hasher.hexdigest()


def _require(path: Path, pattern: str, what: str) -> None:
    if not path.is_dir():
        raise InputError(f"policy {path}: no such directory, expected a Hugging Face checkpoint")
    if not any(path.glob(pattern)):
        raise InputError(f"policy {path}: {what} missing, expected a Hugging Face checkpoint")


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing bars for reading and writing shards."""
    were_enabled = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_enabled:
            transformers_logging.enable_progress_bar()
