"""Math-Shepherd: a causal language model that says `+` or `-` at a tag after each step.

Source: arXiv 2312.08935 and the model card of math-shepherd-mistral-7b-prm.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from prm.encode import Encoder
from prm.formats.published import PublishedEncoder, Words, as_a_whole, up_to_each
from prm.formats.verdict import BAD, GOOD, PlusMinus

TAG = "ки"


class MathShepherd(PlusMinus):
    """Steps are read at their tag."""

    words = Words(landmark=("INST", 16_289), ids={TAG: 12_902, GOOD: 648, BAD: 387})

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """Question and steps in one text, a tag after each step and a line for each."""
        self.words.id_of(tokenizer, TAG)

        def render(question: str, texts: Sequence[str]) -> list[str]:
            text = f"{question} " + "\n".join(f"{text} {TAG}" for text in texts)
            return up_to_each(TAG, text, question, len(texts))

        return PublishedEncoder(tokenizer, config, as_a_whole(tokenizer, render, adds_special=True), tag=TAG)
