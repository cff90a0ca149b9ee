"""A fresh base policy: small enough to fit in minutes on two cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.errors import InputError

INITIAL_SCALE = 0.08
"""Standard deviation of fresh weights: about 1 / sqrt(hidden). The usual 0.02 suits models ten times as wide."""


@dataclass(frozen=True, slots=True)
class PolicySize:
    """Shape of the embedded model (Llama architecture, tied embeddings). The default has about 0.5 M parameters."""

    hidden: int = 128
    layers: int = 3
    heads: int = 4
    intermediate: int = 256
    max_positions: int = 256

    def __post_init__(self) -> None:
        if min(self.hidden, self.layers, self.heads, self.intermediate, self.max_positions) < 1:
            raise InputError(f"policy size {self}: expected positive numbers")
        if self.hidden % (2 * self.heads):
            raise InputError(f"policy size {self}: expected hidden to be a multiple of 2 * heads")


def create(words: Sequence[str], size: PolicySize, out_dir: Path, seed: int) -> None:
    """Write an untrained policy and its tokenizer as a Hugging Face directory.

    Llama and not Qwen2, because `AutoTokenizer` reads every Qwen2 directory as Qwen's byte-level BPE.

    Args:
        words: The vocabulary, one token each.
        size: Shape of the model.
        out_dir: Replaced if it exists.
        seed: 64-bit; the same seed gives the same weights.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from policy.checkpoint import save
    from policy.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(words)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.max_positions,
        tie_word_embeddings=True,
        initializer_range=INITIAL_SCALE,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    save(model, tokenizer, out_dir)
