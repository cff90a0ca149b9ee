"""What the published formats share: how solutions become tokens, and how words become token ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from mcts.errors import InputError
from mcts.types import Step
from prm.encode import CACHED_PARTS, UNREAD, Encoded, check_length, check_texts, tokenise

Layout = Callable[[str, Sequence[str]], tuple[tuple[int, ...], list[int]]]
"""From a question and the texts of one step or more to tokens, and the position where each step is read."""

CAUSAL = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM")
"""Language models whose logits are their unembedding of the last hidden state, and nothing else."""


class PublishedEncoder:
    """Shows a solution to a PRM of others.

    The bare problem has no value there. An empty step says nothing: its prefix is read where the one before is. A step
    that ends the solution is closed like any other. What would follow the last token read is left out: these models
    are causal.

    Args:
        layout: The format's.
        tag: Text that closes a step, and may stand in none; None where special tokens do.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, layout: Layout, *, tag: str | None
    ) -> None:
        added = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
        self._special = tuple({*tokenizer.all_special_tokens, *added} - {tag})
        self._layout = layout
        self._tag = tag
        self._max_tokens = getattr(config, "max_position_embeddings", None)

    def encode(self, question: str, steps: Sequence[Step]) -> Encoded:
        """Encode a solution whole; nothing is ever cut off.

        Raises:
            InputError: A special token or the tag inside a text, steps after the end of a solution, a text that the
                tokenizer would run together with the next, or more tokens than the model can read.
        """
        check_texts(question, steps, self._special, self._tag)
        texts = [step.text for step in steps if step.text.strip()]
        tokens, read = self._layout(question, texts) if texts else ((), [])
        check_length(len(tokens), question, steps, self._max_tokens)
        positions, reads = [UNREAD], iter(read)
        for step in steps:
            positions.append(next(reads) if step.text.strip() else positions[-1])
        return Encoded(tokens, tuple(positions))


def in_parts(tokenizer: PreTrainedTokenizerBase, first: str, separator: str) -> Layout:
    """The layout of formats that tokenise the prompt, each step and each separator by itself.

    A step is read at the last token of its separator.

    Args:
        first: Goes before the question; a beginning-of-sequence token, if the tokenizer has one, before that.
    """
    tokens_of = lru_cache(CACHED_PARTS)(lambda text: tokenise(tokenizer, text, adds_special=False))
    begin = () if tokenizer.bos_token_id is None else (int(tokenizer.bos_token_id),)

    def layout(question: str, texts: Sequence[str]) -> tuple[tuple[int, ...], list[int]]:
        tokens, read = [*begin, *tokens_of(first.replace("{question}", question))], []
        for text in texts:
            tokens += (*tokens_of(text), *tokens_of(separator))
            read.append(len(tokens) - 1)
        return tuple(tokens), read

    return layout


def as_a_whole(
    tokenizer: PreTrainedTokenizerBase, render: Callable[[str, Sequence[str]], list[str]], *, adds_special: bool
) -> Layout:
    """The layout of formats that tokenise a solution at once. A step is read at the last token of its beginning.

    Args:
        render: The text up to where each step is read; each begins with the one before.
        adds_special: Whether the tokenizer puts its own first token before the text.
    """
    tokens_of = lru_cache(CACHED_PARTS)(lambda text: tokenise(tokenizer, text, adds_special=adds_special))

    def layout(question: str, texts: Sequence[str]) -> tuple[tuple[int, ...], list[int]]:
        beginnings = [tokens_of(text) for text in render(question, texts)]
        whole = beginnings[-1]
        if any(whole[: len(tokens)] != tokens for tokens in beginnings):
            raise InputError(
                f"PRM input {question!r}: the tokenizer runs steps together, expected a step to end a token"
            )
        return whole, [len(tokens) - 1 for tokens in beginnings]

    return layout


def up_to_each(tag: str, text: str, question: str, count: int) -> list[str]:
    """The beginnings of `text` that end in one of its `count` tags. Raises `InputError` if the question has one."""
    pieces = text.split(tag)
    if len(pieces) != count + 1:
        raise InputError(f"PRM input {question!r}: contains the step tag {tag}, expected plain text")
    return [tag.join(pieces[:k]) + tag for k in range(1, count + 1)]


def chat(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, opens_reply: bool) -> str:
    """A conversation as text, by the tokenizer's own template. Raises `InputError` if it has none."""
    if not tokenizer.chat_template:
        raise InputError(f"PRM tokenizer {tokenizer.name_or_path}: no chat template, expected the published one")
    turns: list[Any] = [dict(message) for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opens_reply))


@dataclass(frozen=True, slots=True)
class Words:
    """Token ids by what they say, and what they are in the published tokenizer.

    Attributes:
        landmark: A token and its id that tell the published tokenizer.
        ids: What `id_of` gives there.
    """

    landmark: tuple[str, int]
    ids: Mapping[str, int] = field(default_factory=dict)

    def id_of(self, tokenizer: PreTrainedTokenizerBase, word: str) -> int:
        """The token of a word.

        Raises:
            InputError: It is no single token, or another than in the published tokenizer which this one seems to be.
        """
        tokens = tokenise(tokenizer, word, adds_special=False)
        if len(tokens) != 1:
            raise InputError(f"PRM tokenizer: {word!r} is {len(tokens)} tokens, expected one")
        token, published = self.landmark
        expected = self.ids.get(word)
        if expected not in (None, tokens[0]) and tokenizer.get_vocab().get(token) == published:
            raise InputError(f"PRM tokenizer: {word!r} is token {tokens[0]}, expected {expected} as published")
        return tokens[0]
