"""A model's states and continuations in token ids: what was sampled stays as it was, in prompts and in replies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mcts.types import Continuation, State, Until
from policy import checkpoint
from policy.prompts import PromptFormat, ended
from policy.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_REMEMBERED = 65_536
_NEVER = -100.0
"""Logit bias of tokens that are never sampled."""


class TokenStates:
    """Spells states for an engine, and reads what it sampled.

    Attributes:
        words: What the model's tokens do.
        window: Tokens that it can read.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, prompt: PromptFormat, words: Vocabulary, window: int
    ) -> None:
        self.words = words
        self.window = window
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._encode = lru_cache(_REMEMBERED)(partial(prompt.encode_prompt, tokenizer))
        self._text = lru_cache(_REMEMBERED)(self._decode)

    @classmethod
    def at(cls, path: Path, prompt: PromptFormat) -> Self:
        """Of a directory with `tokenizer.json` and `config.json`. Raises `InputError` if it cannot be used."""
        tokenizer, config = checkpoint.load_tokenizer(path), checkpoint.load_config(path)
        words = Vocabulary.of(tokenizer, prompt.delimiter, config.vocab_size, checkpoint.named_ends(path))
        return cls(tokenizer, prompt, words, int(config.max_position_embeddings))

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end a solution, for engines that look out for them."""
        return self._prompt.stop

    @property
    def bias(self) -> dict[int, float]:
        """Logit biases that keep what is forbidden from being sampled."""
        return dict.fromkeys(self.words.forbidden, _NEVER)

    def prefix(self, state: State) -> tuple[int, ...]:
        """The prompt and the steps so far."""
        return (
            *self._encode(state.problem.question, state.problem.before),
            *(token for step in state.steps for token in step.token_ids),
        )

    def continuation(self, ids: Sequence[int], logprobs: Sequence[float], until: Until) -> Continuation:
        """What was sampled, cut into steps; over with the first that completes the solution by what it says."""
        return ended(self.words.cut(ids, logprobs, until, self._text), self._prompt)

    def _decode(self, ids: tuple[int, ...]) -> str:
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
        return text.replace(self._prompt.delimiter, " ").strip()
