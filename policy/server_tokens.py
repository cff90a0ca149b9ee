"""A server asked in token ids: what was sampled stays as it was, in prompts and in replies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcts.types import Continuation, Propose, Until
from policy.endpoints import BadReplyError, Fields, RefusedError, WindowFullError
from policy.prompts import PromptFormat
from policy.token_states import TokenStates


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
        self._states = TokenStates.at(path, prompt)
        self._window = min(self._states.window, window) if window else self._states.window

    def body(self, request: Propose) -> dict[str, Any]:
        """The part of a request that says what is continued, and how far.

        Raises:
            WindowFullError: Nothing may follow.
        """
        prefix = self._states.prefix(request.state)
        if (room := self._window - len(prefix)) <= 0:
            raise WindowFullError(f"a prompt of {len(prefix)} tokens, expected less than {self._window}")
        return {
            "prompt": list(prefix),
            "max_tokens": min(request.max_tokens, room),
            "stop_token_ids": sorted(self._states.words.stops(request.until)),
            "logit_bias": {str(token): bias for token, bias in self._states.bias.items()},
            "logprobs": 0,
            **({"stop": list(self._states.stop)} if self._states.stop else {}),
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
        return self._states.continuation([int(token) for token in ids], logprobs, until)
