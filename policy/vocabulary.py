"""What a policy's tokens do: end a step, end a solution, or never come up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcts.errors import InputError
from mcts.types import StepEnd, Until
from policy.prompts import eos_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token ids by what they do, and the room that the model has.

    Attributes:
        ends_step: Tokens that contain the delimiter.
        ends_sequence: The tokenizer's end of sequence and those of the generation configuration.
        forbidden: Padding and the unknown word: they say nothing and cannot be read back.
        max_positions: Tokens of prompt and solution together.
        dtype: Of the stored weights.
    """

    ends_step: frozenset[int]
    ends_sequence: frozenset[int]
    forbidden: frozenset[int]
    max_positions: int
    dtype: str

    @classmethod
    def of(cls, path: Path, tokenizer: PreTrainedTokenizerBase, delimiter: str) -> Vocabulary:
        """Read it off a checkpoint directory.

        Raises:
            InputError: No `config.json`, or no token ends a step or a solution.
        """
        config = _read(path / "config.json", must_exist=True)
        generation = _read(path / "generation_config.json", must_exist=False)
        texts = tokenizer.batch_decode([[i] for i in range(int(config["vocab_size"]))])
        ends_step = frozenset(i for i, text in enumerate(texts) if delimiter in text)
        if not ends_step:
            raise InputError(f"policy tokenizer: no token contains the step delimiter {delimiter!r}")
        named = generation.get("eos_token_id", [])
        last = eos_of(tokenizer)
        ends = frozenset([last, *(named if isinstance(named, list) else [named])]) - {None}
        silent = (tokenizer.pad_token_id, tokenizer.unk_token_id)
        forbidden = frozenset(i for i in silent if isinstance(i, int) and i != last)
        dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        return cls(ends_step, ends, forbidden, int(config["max_position_embeddings"]), dtype)

    def end_of(self, token: int, *, is_last: bool, until: Until) -> StepEnd:
        """Why a step stopped whose last token is `token`; `is_last`: the reply stopped there, too."""
        if token in self.ends_sequence:
            return StepEnd.FINAL
        if token in self.ends_step and (until is Until.STEP or not is_last):
            return StepEnd.DELIMITER
        return StepEnd.TRUNCATED


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    if not path.exists() and not must_exist:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"policy {path}: {error}, expected a JSON object") from error
    if not isinstance(found, dict):
        raise InputError(f"policy {path}: holds a {type(found).__name__}, expected a JSON object")
    return found
