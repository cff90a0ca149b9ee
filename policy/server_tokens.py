"""A server asked in token ids: what was sampled stays as it was, in prompts and in replies."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from mcts.types import Continuation, Propose, Until
from policy import checkpoint
from policy.endpoints import BadReplyError, Fields, RefusedError, WindowFullError
from policy.prompts import PromptFormat
from policy.vocabulary import Vocabulary

_REMEMBERED = 65_536
_NEVER = -100.0
"""Logit bias of tokens that are never sampled."""


class TokenDialect:
    """Speaks token ids, by the tokenizer of the served model; vLLM takes and tells them.

    Args:
        path: Holds `tokenizer.json` and `config.json`.
        window: Tokens of the server's context; None takes the configuration's.

    Raises:
        InputError: The directory cannot be used.
    """

    path = "/completions"

    def __init__(self, path: Path, prompt: PromptFormat, window: int | None) -> None:
        self._prompt = prompt
        self._tokenizer = checkpoint.load_tokenizer(path)
        config = checkpoint.load_config(path)
        named = checkpoint.named_ends(path)
        self._vocabulary = Vocabulary.of(self._tokenizer, prompt.delimiter, config.vocab_size, named)
        own = int(config.max_position_embeddings)
        self._window = min(own, window) if window else own
        self._encode = lru_cache(_REMEMBERED)(partial(prompt.encode_prompt, self._tokenizer))

    def body(self, request: Propose) -> dict[str, Any]:
        """The part of a request that says what is continued, and how far.

        Raises:
            WindowFullError: Nothing may follow.
        """
        prompt = self._encode(request.state.problem.question)
        prefix = [*prompt, *(token for step in request.state.steps for token in step.token_ids)]
        if (room := self._window - len(prefix)) <= 0:
            raise WindowFullError(f"a prompt of {len(prefix)} tokens, expected less than {self._window}")
        words = self._vocabulary
        stops = words.ends_step | words.ends_sequence if request.until is Until.STEP else words.ends_sequence
        return {
            "prompt": prefix,
            "max_tokens": min(request.max_tokens, room),
            "stop_token_ids": sorted(stops),
            "logit_bias": {str(token): _NEVER for token in words.forbidden},
            "logprobs": 0,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
        }

    def read(self, choice: Fields, reply: Fields, until: Until) -> Continuation:
        """The steps of a choice.

        Raises:
            RefusedError: The server tells no token ids.
            BadReplyError: It tells too few log-probabilities.
        """
        ids = choice.get("token_ids")
        if not isinstance(ids, list):
            raise RefusedError(
                "the server tells no token_ids, expected them (vLLM does); without policy.path it is asked in text"
            )
        logprobs = [float(logprob) for logprob in choice["logprobs"]["token_logprobs"]]
        if len(logprobs) != len(ids):
            raise BadReplyError(f"{len(logprobs)} log-probabilities for {len(ids)} tokens, expected as many")
        return self._vocabulary.cut([int(token) for token in ids], logprobs, until, self._text)

    def _text(self, ids: tuple[int, ...]) -> str:
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
        return text.replace(self._prompt.delimiter, " ").strip()
