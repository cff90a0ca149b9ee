"""From a solution to its tokens and the positions where values are read: one code for training and scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from mcts.errors import InputError
from mcts.types import Step, StepEnd

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION = "{question}"
TEMPLATE = "{question}\n"
DELIMITER = "\n"

UNREAD = -1
"""Position of a prefix of which no token tells anything: the bare problem, to the published PRMs."""

UNKNOWN = 0.5
"""The value of such a prefix: as good as bad."""

CACHED_PARTS = 1 << 16


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tokenised solution.

    Attributes:
        token_ids: [T].
        positions: [steps + 1] index of the token where each prefix is read, the bare problem first; `UNREAD` where
            there is none.
    """

    token_ids: tuple[int, ...]
    positions: tuple[int, ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """The positions that are read, each once, in order."""
        return tuple(dict.fromkeys(position for position in self.positions if position != UNREAD))

    def values(self, read: Mapping[int, float]) -> tuple[float, ...]:
        """A value for every prefix, from what was `read` at each position; `UNKNOWN` where nothing is."""
        return tuple(UNKNOWN if position == UNREAD else read[position] for position in self.positions)


class Encoder(Protocol):
    """The input format of a PRM."""

    def encode(self, question: str, steps: Sequence[Step]) -> Encoded:
        """Encode a solution whole. Raises `InputError` if it cannot be read as it stands."""


class StepEncoder:
    """Our own format: the prompt and each step by itself, so that a prefix of the steps is a prefix of the tokens.

    A prefix is read at its last token: that of the prompt, then the one that closes each step. Steps are tokenised from
    their text: the PRM's tokenizer may be another than the policy's.

    Args:
        tokenizer: The PRM's.
        template: The prompt, with `{question}` where the question goes. Only here may special tokens stand.
        delimiter: Closes every step but a final one, which the end-of-sequence token closes.
        max_tokens: The model's maximal length; None for no limit.

    Raises:
        ValueError: The template has no place for the question, the delimiter is no token, or there is no
            end-of-sequence token.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: str = TEMPLATE,
        delimiter: str = DELIMITER,
        *,
        max_tokens: int | None = None,
    ) -> None:
        if QUESTION not in template:
            raise InputError(f"PRM template {template!r}: expected {QUESTION} where the question goes")
        if tokenizer.eos_token_id is None:
            raise InputError("PRM tokenizer: expected an end-of-sequence token")
        self._tokenizer = tokenizer
        self._template = template
        self._delimiter = delimiter
        self._max_tokens = max_tokens
        self._special = tuple(tokenizer.all_special_tokens)
        self._tokens = lru_cache(CACHED_PARTS)(self._tokenise)
        self._eos = (int(tokenizer.eos_token_id),)
        self._closing = self._tokenise(delimiter)
        if not self._closing:
            raise InputError(f"PRM delimiter {delimiter!r}: the tokenizer drops it, expected at least one token")

    def encode(self, question: str, steps: Sequence[Step]) -> Encoded:
        """Encode a solution whole; nothing is ever cut off.

        Raises:
            ValueError: A word the tokenizer does not know, a special token or delimiter inside a text, steps after
                the end of a solution, or more tokens than the model can read.
        """
        check_texts(question, steps, self._special, self._delimiter)
        tokens = list(self._tokens(self._template.replace(QUESTION, question), is_prompt=True))
        if not tokens:
            raise InputError("PRM prompt: no tokens, expected a question or a template with text")
        positions = [len(tokens) - 1]
        for step in steps:
            tokens += self._tokens(step.text)
            tokens += self._eos if step.end is StepEnd.FINAL else self._closing
            positions.append(len(tokens) - 1)
        check_length(len(tokens), question, steps, self._max_tokens)
        return Encoded(tuple(tokens), tuple(positions))

    def _tokenise(self, text: str, *, is_prompt: bool = False) -> tuple[int, ...]:
        """The tokens of one part; only a prompt begins with what the tokenizer puts first in a sequence."""
        return tokenise(self._tokenizer, text, adds_special=is_prompt)


def check_texts(question: str, steps: Sequence[Step], special: Sequence[str], delimiter: str | None) -> None:
    """Refuse what would be read as other than it is meant.

    Raises:
        InputError: A special token inside a text, the delimiter inside a step, or steps after the end of a solution.
    """
    for text in (question, *(step.text for step in steps)):
        if found := next((token for token in special if token in text), None):
            raise InputError(f"PRM input {text!r}: contains the special token {found}, expected plain text")
    for step in steps:
        if delimiter is not None and delimiter in step.text:
            raise InputError(f"PRM step {step.text!r}: contains the step delimiter, expected a single step")
    for step in steps[:-1]:
        if step.end is not StepEnd.DELIMITER:
            raise InputError(f"PRM step {step.text!r}: ended as {step.end}, expected no step after it")


def check_length(count: int, question: str, steps: Sequence[Step], max_tokens: int | None) -> None:
    """Refuse more tokens than the model reads: what is cut off would be the newest step, or the problem."""
    if max_tokens is not None and count > max_tokens:
        raise InputError(
            f"PRM input of {count} tokens ({len(steps)} steps of {question!r}): "
            f"expected at most {max_tokens}, the model's maximal length"
        )


def tokenise(tokenizer: PreTrainedTokenizerBase, text: str, *, adds_special: bool) -> tuple[int, ...]:
    """The tokens of a text. Raises `InputError` at a word that the tokenizer does not know."""
    tokens = tokenizer(text, add_special_tokens=adds_special).input_ids
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokens:
        raise InputError(f"PRM input {text!r}: {_unknown(tokenizer, text)}, expected the vocabulary of its tokenizer")
    return tuple(tokens)


def _unknown(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Names the first word of `text` that is not in the vocabulary."""
    for word in text.split():
        if tokenizer.unk_token_id in tokenizer(word, add_special_tokens=False).input_ids:
            return f"unknown word {word!r}"
    return "an unknown word"
