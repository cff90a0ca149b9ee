"""Model directories: plain Hugging Face, safetensors only, read from disk alone and written whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from mcts.errors import InputError, unusable

FORMAT = "prm-scorer-3"
"""Changes whenever the same files would give other values."""

CALIBRATION = "calibration.json"
"""What values become of what the head says; see `prm.calibration`."""

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

_FILES = (
    CALIBRATION,
    "config.json",
    "*.safetensors",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
)


def read_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that `tokenizer.json` describes. Raises `ValueError` if there is none.

    `AutoTokenizer` may go by the model type instead: it reads every Qwen2 directory as Qwen's byte-level BPE.
    """
    if not (path / "tokenizer.json").is_file():
        raise InputError(f"{path}: no tokenizer, expected a tokenizer.json")
    with unusable(str(path / "tokenizer.json"), "a tokenizer of the tokenizers library"):
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    return tokenizer


def read_config(path: Path) -> PreTrainedConfig:
    """What `config.json` says. Raises `InputError` if there is none, or it names code that the directory brings."""
    if not (path / "config.json").is_file():
        told = "no config.json there" if path.is_dir() else "no such directory"
        raise InputError(f"{path}: {told}, expected a Hugging Face checkpoint")
    with unusable(str(path / "config.json"), "the configuration of a model of transformers"):
        told = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if _FOREIGN in told and told.get("model_type") not in CONFIG_MAPPING:
            raise InputError(f"{path}: brings code of its own ({_FOREIGN}), which is never run; {_EXPECTED}")
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        for name in _SIZES:
            if not getattr(config, name, 1) > 0:
                raise ValueError(f"{name} is {getattr(config, name)}, not above 0")
    return config


def read_network(path: Path, loader: type[Any], config: PreTrainedConfig, fresh: set[str]) -> PreTrainedModel:
    """Read fp32 weights; those named `fresh` are initialised, any other missing one is an error, as is a NaN."""
    with unusable(str(path), "safetensors weights as config.json says"):
        network, report = loader.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    mismatched = {name for name, *_ in report["mismatched_keys"]}
    if unread := sorted((set(report["missing_keys"]) - fresh) | mismatched):
        raise InputError(
            f"{path}: {unread[0]} is missing or of another shape ({len(unread)} in all), "
            f"expected the weights of {type(network).__name__}"
        )
    assert isinstance(network, PreTrainedModel)
    for name, weights in network.named_parameters():
        if not torch.isfinite(weights).all():
            raise InputError(f"{path}: {name} has values that are no numbers, expected finite weights")
    return network


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
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


def fingerprint(path: Path, *settings: str) -> str:
    """Digest of a model directory (weights, configuration, tokenizer, calibration, `FORMAT`), and of `settings`."""
    digest = blake2b("\x1f".join((FORMAT, *settings)).encode(), digest_size=16)
    for file in sorted({file for pattern in _FILES for file in path.glob(pattern)}):
        digest.update(f"\x1f{file.name}\x1f{file.stat().st_size}\x1f".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
