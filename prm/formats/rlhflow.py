"""RLHFlow: a chat in which the user tells the steps and the assistant answers each with `+` or `-`.

Source: RLHFlow/RLHF-Reward-Modeling (math-rm) and the model card of Llama3.1-8B-PRM-Deepseek-Data.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from mcts.errors import InputError
from prm.encode import Encoder
from prm.formats.published import PublishedEncoder, Words, as_a_whole, chat
from prm.formats.verdict import BAD, GOOD, PlusMinus


class Rlhflow(PlusMinus):
    """Steps are read where the answer to them would begin; to those before, `+` was answered."""

    words = Words(landmark=("<|begin_of_text|>", 128_000), ids={GOOD: 10, BAD: 12})

    def encoder(self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> Encoder:
        """The first turn is question and first step, each further one a step."""

        def render(question: str, texts: Sequence[str]) -> list[str]:
            turns: list[dict[str, str]] = []
            beginnings = []
            for text in (f"{question} {texts[0]}", *texts[1:]):
                turns.append({"role": "user", "content": text})
                beginnings.append(chat(tokenizer, turns, opens_reply=True))
                turns.append({"role": "assistant", "content": GOOD})
            if not all(beginnings[-1].startswith(beginning) for beginning in beginnings):
                raise InputError(f"PRM tokenizer {tokenizer.name_or_path}: its chat template changes earlier turns")
            return beginnings

        layout = as_a_whole(tokenizer, render, adds_special=False)
        return PublishedEncoder(tokenizer, config, layout, tag=None)
