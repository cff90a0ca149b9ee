"""A server asked in text: a state goes there as it reads, and a reply is cut where the delimiter stands in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from math import isfinite
from typing import Any, NamedTuple

from mcts.types import Continuation, Propose, State, Step, StepEnd, Until
from policy.endpoints import BadReplyError, Fields
from policy.prompts import PromptFormat, ended
from policy.server_settings import CHAT, ServerSettings

_CUT_SHORT = ("length", "content_filter")
_STOPPED_BY = ("stop_reason", "matched_stop", "stopping_word")
"""Where vLLM, SGLang and llama.cpp tell what stopped a continuation: a text, or else the end of sequence."""


class Token(NamedTuple):
    """A token as a server tells it.

    Attributes:
        id: The server's own, or a hash of the token's text: steps are the same if their ids are.
        text: Empty where it is not told.
        logprob: Natural logarithm; None where it is not told.
    """

    id: int
    text: str = ""
    logprob: float | None = None


class TextDialect:
    """Speaks text.

    Args:
        tells_ids: Whether the server takes `return_token_ids`.
    """

    def __init__(self, prompt: PromptFormat, settings: ServerSettings, *, tells_ids: bool) -> None:
        self._prompt = prompt
        self._is_chat = settings.api == CHAT
        self._logprobs = settings.logprobs
        self._tells_ids = tells_ids
        self.path = "/chat/completions" if self._is_chat else "/completions"

    def body(self, request: Propose) -> dict[str, Any]:
        """The part of a request that says what is continued, and how far."""
        state = request.state
        body: dict[str, Any] = self._messages(state) if self._is_chat else {"prompt": self._text(state)}
        stop = [*([self._prompt.delimiter] if request.until is Until.STEP else []), *self._prompt.stop]
        if stop:
            body["stop"] = stop
        if self._logprobs:
            body["logprobs"] = True if self._is_chat else 1
        if self._tells_ids:
            body["return_token_ids"] = True
        return body | {"max_tokens": request.max_tokens}

    def read(self, choice: Fields, reply: Fields, until: Until) -> Continuation:
        """The steps of a choice of `reply`.

        Raises:
            BadReplyError: A field is missing, or is not what it should be.
        """
        message = choice["message"] if self._is_chat else choice
        text = message["content" if self._is_chat else "text"] or ""
        tokens = told_tokens(choice, text, reply)
        delimiter = self._prompt.delimiter
        pieces = text.split(delimiter) if until is Until.END else [text.partition(delimiter)[0]]
        steps = []
        for piece, part in zip(pieces, dealt(tokens, pieces, delimiter), strict=True):
            if part or piece.strip():
                logprobs = tuple(token.logprob for token in part if token.logprob is not None)
                told = logprobs if len(logprobs) == len(part) else ()
                steps.append(Step(piece if piece.strip() else "", tuple(token.id for token in part), told))
        last = steps.pop() if steps else Step("")
        whole = (*steps, Step(last.text, last.token_ids, last.logprobs, self._end(choice, reply, until, text)))
        return ended(whole, self._prompt)

    # --- there ------------------------------------------------------------------------------------------------------

    def _text(self, state: State) -> str:
        return self._prompt.render(state.problem.question) + self._spelt(state.steps)

    def _spelt(self, steps: Sequence[Step]) -> str:
        return "".join(step.text + self._prompt.delimiter for step in steps)

    def _messages(self, state: State) -> dict[str, Any]:
        asked = self._prompt.messages(state.problem.question, state.problem.before)
        if not state.steps:
            return {"messages": asked}
        said = {"role": "assistant", "content": self._spelt(state.steps)}
        return {"messages": [*asked, said], "continue_final_message": True, "add_generation_prompt": False}

    # --- and back ---------------------------------------------------------------------------------------------------

    def _end(self, choice: Fields, reply: Fields, until: Until, text: str) -> StepEnd:
        """Why a continuation stopped."""
        reason = choice["finish_reason"]
        if not isinstance(reason, str):
            raise BadReplyError(f"finish_reason is {reason!r}, expected a word")
        if reason in _CUT_SHORT:
            return StepEnd.TRUNCATED
        if until is Until.END:
            return StepEnd.FINAL  # nothing else was to stop it
        for fields in (choice, reply):
            for name in _STOPPED_BY:
                if name in fields:
                    is_step = isinstance(fields[name], str) and fields[name] not in ("", *self._prompt.stop)
                    return StepEnd.DELIMITER if is_step else StepEnd.FINAL
        if not text.strip():
            return StepEnd.TRUNCATED  # nothing was said, and nothing says that this is the end
        return StepEnd.FINAL if self._prompt.is_last(text) else StepEnd.DELIMITER


def told_tokens(choice: Fields, text: str, reply: Fields) -> list[Token]:
    """The tokens of a choice, by what the server tells of them.

    Their own ids; else a hash of each one's text; else, of a reply with this one choice, as many as were counted.

    Raises:
        BadReplyError: None of these is told.
    """
    ids, logprobs = choice.get("token_ids"), choice.get("logprobs")
    if isinstance(logprobs, dict):
        if isinstance(content := logprobs.get("content"), list):
            pairs = [(token["token"], token.get("logprob")) for token in content]
        else:
            pairs = list(zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True))
        own = ids if isinstance(ids, list) else [hashed(word) for word, _ in pairs]
        return [Token(int(one), word, finite(logprob)) for one, (word, logprob) in zip(own, pairs, strict=True)]
    if isinstance(ids, list):
        return [Token(int(one)) for one in ids]
    if len(reply["choices"]) == 1 and isinstance(counted := (reply.get("usage") or {}).get("completion_tokens"), int):
        return [Token(hashed(text))] * counted
    raise BadReplyError("tells no tokens, expected logprobs or usage (try policy.server.logprobs=false)")


def finite(logprob: float | None) -> float | None:
    """A log-probability; None for what is none."""
    return float(logprob) if logprob is not None and isfinite(logprob) else None


def hashed(text: str) -> int:
    """A stable id of 31 bits for a token that is known by its text alone."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=4).digest(), "little") >> 1


def dealt(tokens: Sequence[Token], pieces: Sequence[str], delimiter: str) -> list[list[Token]]:
    """The tokens of each piece of a text that was split at its delimiters; the token that ends a delimiter goes before.

    Where the tokens' texts do not show the delimiters, each piece has its share by length.
    """
    places, place, tail = [], 0, ""
    for token in tokens:
        places.append(min(place, len(pieces) - 1))
        *ended, tail = (tail + token.text).split(delimiter)
        place += len(ended)
    if place < len(pieces) - 1:
        borders = list(accumulate(len(piece) + len(delimiter) for piece in pieces[:-1]))
        each = (borders[-1] + max(len(pieces[-1]), 1)) / max(len(tokens), 1)
        places = [bisect_right(borders, (i + 0.5) * each) for i in range(len(tokens))]
    parts: list[list[Token]] = [[] for _ in pieces]
    for token, its_place in zip(tokens, places, strict=True):
        parts[its_place].append(token)
    return parts
