"""What the formats have in common that let a language model say `+` or `-`."""

from __future__ import annotations

from pathlib import Path

from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from prm.formats.format import Published, Verdict, architecture_of, read_published
from prm.formats.published import CAUSAL, Words
from prm.heads import Probe
from prm.model import StepModel

GOOD, BAD = "+", "-"


class PlusMinus(Published):
    """The value is the softmax of `+` over both, read off a causal language model.

    Attributes:
        words: The published tokenizer's.
    """

    words: Words

    def is_told_by(self, config: PreTrainedConfig) -> bool:
        """Never: several formats are plain language models."""
        return False

    def fits(self, config: PreTrainedConfig) -> bool:
        """With a language model whose logits are its unembedding of the last hidden state."""
        return architecture_of(config) in CAUSAL

    def load(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> StepModel:
        """The model."""
        verdict = self.verdict(tokenizer)

        def head(network: PreTrainedModel) -> Probe:
            unembedding = network.get_output_embeddings()
            assert isinstance(unembedding, nn.Linear)
            return Probe.between(unembedding, verdict.good, verdict.bad)

        return read_published(path, AutoModelForCausalLM, head)

    def verdict(self, tokenizer: PreTrainedTokenizerBase) -> Verdict:
        """The tokens of the two words."""
        return Verdict(self.words.id_of(tokenizer, GOOD), self.words.id_of(tokenizer, BAD))
