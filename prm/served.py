"""The directory that vLLM serves for a PRM: the PRM's own where vLLM knows its layout, else one with the same head."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerBase

from mcts.errors import InputError
from prm.checkpoint import read_config
from prm.formats import qwen_prm
from prm.formats.format import Format, architecture_of
from prm.heads import Probe

_TOKEN_CLASSIFIER = "ForTokenClassification"

_written: dict[str, TemporaryDirectory[str]] = {}
"""The last directory written, by digest: an engine outlives the scorer that started it."""


def served(path: Path, how: Format, tokenizer: PreTrainedTokenizerBase, digest: str) -> Path:
    """A directory from which vLLM pools logits at every token: one, or those of two classes, the good one last.

    Raises:
        InputError: The head is none that vLLM has.
    """
    architecture = architecture_of(read_config(path))
    if architecture == qwen_prm.ARCHITECTURE or architecture.endswith(_TOKEN_CLASSIFIER):
        return path
    if digest not in _written:
        while _written:
            _written.popitem()[1].cleanup()
        folder = TemporaryDirectory(prefix="regrow-prm-")
        _write(path, how, tokenizer, Path(folder.name))
        _written[digest] = folder
    return Path(_written[digest].name)


def _write(path: Path, how: Format, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write a token classifier with one label: the body as it is, the head as one probe in float32."""
    config, model = read_config(path), how.load(path, tokenizer)
    body, head = model.body(), model.head()
    if not isinstance(head, Probe):
        raise InputError(f"prm=vllm {path}: a head that vLLM does not have, expected prm.engine=hf")
    dtype = config.dtype or torch.float32
    weights = {f"model.{name}": weight.to(dtype).contiguous() for name, weight in body.state_dict().items()}
    weights["score.weight"] = head.weight.detach().float()[None].contiguous()
    weights["score.bias"] = head.bias.detach().float().contiguous()
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    config.architectures = [type(body).__name__.removesuffix("Model") + _TOKEN_CLASSIFIER]
    config.num_labels = 1
    config.tie_word_embeddings = False
    config.save_pretrained(out)
