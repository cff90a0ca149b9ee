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

    Cross-entropy of the two words' logits where a step is read is binary cross-entropy of their margin, so training
    changes what the model would say there and asks for nothing else.

    Attributes:
        words: The published tokenizer's.
    """

    is_trainable = True
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
