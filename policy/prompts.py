"""From questions and steps to token ids, once: what was sampled is never tokenised again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcts.errors import InputError
from mcts.types import Step, StepEnd

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION = "{question}"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How a question is put to the policy, and what ends a step.

    A state is the prompt's token ids followed by every step's own; a step's ids include the token that ended it.

    Attributes:
        template: Text with the place of the question; other braces are left alone.
        delimiter: Text that ends a step.
    """

    template: str = QUESTION + "\n"
    delimiter: str = "\n"

    def __post_init__(self) -> None:
        if QUESTION not in self.template:
            raise InputError(f"prompt template {self.template!r}: expected the place of the question, {QUESTION}")
        if not self.delimiter:
            raise InputError("prompt delimiter: is empty, expected the text that ends a step")

    def render(self, question: str) -> str:
        """The prompt as text."""
        return self.template.replace(QUESTION, question)

    def encode_prompt(self, tokenizer: PreTrainedTokenizerBase, question: str) -> tuple[int, ...]:
        """The prompt's token ids.

        Raises:
            InputError: The question has words that the tokenizer does not know.
        """
        prompt = self.render(question)
        token_ids = tuple(tokenizer(prompt)["input_ids"])
        _refuse_unknown(tokenizer, prompt, token_ids)
        return token_ids

    def encode_steps(
        self, tokenizer: PreTrainedTokenizerBase, steps: Sequence[str], is_complete: bool
    ) -> tuple[Step, ...]:
        """Steps written by others, as the policy would have generated them: each ends in the delimiter.

        Args:
            tokenizer: The policy's.
            steps: [K] texts without delimiters.
            is_complete: Whether the last step completes the solution: then it ends in end-of-sequence instead.

        Raises:
            InputError: A step contains the delimiter or words that the tokenizer does not know.
        """
        if not steps:
            return ()
        texts = [step + self.delimiter for step in steps]
        if is_complete:
            texts[-1] = steps[-1]
        for i, step in enumerate(steps):
            if self.delimiter in step:
                raise InputError(f"step {i} {step!r}: contains the step delimiter {self.delimiter!r}")
        encoded = []
        for step, text, ids in zip(steps, texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True):
            _refuse_unknown(tokenizer, text, ids)
            encoded.append(Step(step, tuple(ids)))
        if is_complete:
            last = encoded[-1]
            encoded[-1] = Step(last.text, (*last.token_ids, eos_of(tokenizer)), end=StepEnd.FINAL)
        return tuple(encoded)


def eos_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """The end-of-sequence token. Raises `InputError` if the tokenizer has none."""
    if not isinstance(tokenizer.eos_token_id, int):
        raise InputError(
            f"tokenizer {tokenizer.name_or_path}: has no end-of-sequence token, which completes a solution"
        )
    return tokenizer.eos_token_id


def _refuse_unknown(tokenizer: PreTrainedTokenizerBase, text: str, token_ids: Sequence[int]) -> None:
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in token_ids:
        return
    words = [word for word in text.split() if unknown in tokenizer(word, add_special_tokens=False)["input_ids"]]
    raise InputError(
        f"text {text.strip()!r}: the tokenizer does not know {', '.join(map(repr, words)) or 'its white space'}"
    )
