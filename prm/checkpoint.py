"""Model directories: plain Hugging Face, safetensors only, read from disk alone and written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from mcts.errors import InputError, first_line

FORMAT = "prm-scorer-3"
"""Changes whenever the same files would give other values."""

CALIBRATION = "calibration.json"
"""What values become of what the head says; see `prm.calibration`."""

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
    try:
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path / 'tokenizer.json'}: {first_line(error)}, expected a readable tokenizer") from error
    return tokenizer


def read_config(path: Path) -> PreTrainedConfig:
    """What `config.json` says. Code that the directory brings is not run. Raises `InputError` if there is none."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no readable config.json ({first_line(error)})") from error
    return config


def read_network(path: Path, loader: type[Any], config: PreTrainedConfig, fresh: set[str]) -> PreTrainedModel:
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
        raise InputError(f"{path}: no readable safetensors weights ({first_line(error)})") from error
    mismatched = {name for name, *_ in report["mismatched_keys"]}
    if unread := sorted((set(report["missing_keys"]) - fresh) | mismatched):
        raise InputError(
            f"{path}: {unread[0]} is missing or of another shape ({len(unread)} in all), "
            f"expected the weights of {type(network).__name__}"
        )
    assert isinstance(network, PreTrainedModel)
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
