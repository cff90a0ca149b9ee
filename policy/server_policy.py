"""A policy behind an HTTP endpoint of the OpenAI kind: vLLM, SGLang, llama.cpp, or a service."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from mcts.errors import InputError, first_line
from mcts.replies import Replies
from mcts.seeds import seed_of
from mcts.types import Continuation, Proposal, Propose, Step, StepEnd, Ticket, Until, tokens_in
from policy import checkpoint
from policy.endpoints import BadReplyError, Fields, RefusedError, WindowFullError, endpoints_of, loop
from policy.prompts import PromptFormat
from policy.server_settings import COMPLETIONS, REACHING, ServerSettings
from policy.server_text import TextDialect
from policy.server_tokens import TokenDialect

_ENGINE = "policy=server"
_SEED_SHIFT = 64 - 31
"""Every server takes seeds of 31 bits."""
_NO_LIST = (404, 405, 501)


class Dialect(Protocol):
    """How states and continuations are put into JSON."""

    path: str

    def body(self, request: Propose) -> dict[str, Any]:
        """The part of a request that says what is continued, and how far."""

    def read(self, choice: Fields, reply: Fields, until: Until) -> Continuation:
        """The steps of a choice of `reply`."""


class ServerPolicy:
    """Implements `mcts.ports.Policy`. Replies come as they are finished, in any order.

    With the served model's tokenizer at hand, prompts and replies are token ids; else they are text. A server may
    answer the same request differently the next time; the journal keeps what was said.

    Args:
        path: Directory with the served model's `tokenizer.json` and `config.json`; None asks in text, and so does the
            chat API.

    Raises:
        InputError: The server cannot be reached, or does not serve the model.
    """

    def __init__(self, path: Path | None, settings: ServerSettings, prompt: PromptFormat) -> None:
        self._endpoints = endpoints_of(settings)
        self._replies: Replies[Proposal] = Replies(_ENGINE)
        self._tokens_generated = 0
        try:
            served = loop().soon(self._served(settings.model)).result()
        except RefusedError as error:
            raise InputError(f"{_ENGINE}: {first_line(error)}") from error
        self._model = str(served["id"])
        decisive = {name: value for name, value in asdict(settings).items() if name not in REACHING}
        told = json.dumps([decisive, prompt.key, self._model, served.get("root")])
        self._dialect: Dialect
        if path is not None and settings.api == COMPLETIONS:
            self._dialect = TokenDialect(path, prompt, served.get("max_model_len"))
            self._is_one_each = False
            self.fingerprint = checkpoint.digest(path, _ENGINE, told)
        else:
            self._dialect = TextDialect(prompt, settings, tells_ids=served.get("owned_by") == "vllm")
            self._is_one_each = not settings.logprobs
            self.fingerprint = blake2b(f"{_ENGINE}\0{told}".encode(), digest_size=16).hexdigest()

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies so far."""
        return self._tokens_generated

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Put a request to the server. Returns at once."""
        loop().soon(self._replies.answer(ticket, self._generate(request)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none.

        Raises:
            InputError: The server refuses, or has failed too often; what was answered before is in the journal.
        """
        arrived = self._replies.take(timeout_s)
        self._tokens_generated += sum(tokens_in(proposal) for _, proposal in arrived)
        return arrived

    # --- on the loop's thread ---------------------------------------------------------------------------------------

    async def _served(self, model: str | None) -> Fields:
        """What the server says of its model; the name alone, where it has no list."""
        try:
            return await self._endpoints.get("/models", partial(_listed, model))
        except RefusedError as error:
            if model is None or error.status not in _NO_LIST:
                raise
            return {"id": model}

    async def _generate(self, request: Propose) -> Proposal:
        """The continuations; near the end of the window fewer tokens are asked for, and none where it is full."""
        limit = request.max_tokens
        while limit > 0:
            try:
                lines = await self._lines(replace(request, max_tokens=limit))
            except WindowFullError:
                limit //= 2
            else:
                return lines if request.temperature > 0 else lines * request.width  # greedy ones are alike
        return ((Step("", end=StepEnd.TRUNCATED),),) * request.width

    async def _lines(self, request: Propose) -> tuple[Continuation, ...]:
        """As many continuations as are wanted: at once, and one by one those that a server did not give."""
        width = request.width if request.temperature > 0 else 1
        at_once = [] if self._is_one_each else await self._choices(request, width, request.seed)
        others = await asyncio.gather(
            *(self._choices(request, 1, seed_of(request.seed, "one", i)) for i in range(len(at_once), width))
        )
        return (*at_once, *(line for lines in others for line in lines))

    async def _choices(self, request: Propose, count: int, seed: int) -> list[Continuation]:
        """One request to the server: up to `count` continuations, at least one."""
        body = {
            "model": self._model,
            "n": count,
            "temperature": request.temperature,
            "seed": seed >> _SEED_SHIFT,
            **self._dialect.body(request),
        }
        return await self._endpoints.post(self._dialect.path, body, partial(self._read, request.until, count))

    def _read(self, until: Until, count: int, reply: Fields) -> list[Continuation]:
        try:
            choices = reply["choices"][:count]
            lines = [self._dialect.read(choice, reply, until) for choice in choices]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadReplyError(f"no completion ({type(error).__name__}: {first_line(error)})") from error
        if not lines:
            raise BadReplyError("no choices, expected at least one")
        return lines


def _listed(model: str | None, reply: Fields) -> Fields:
    """The entry of `model` in a server's list, or of its only one.

    Raises:
        RefusedError: It has several and none is named.
    """
    try:
        entries: dict[str, Fields] = {str(entry["id"]): entry for entry in reply["data"]}
    except (LookupError, TypeError) as error:
        raise BadReplyError("no list of models") from error
    if model is not None:
        return entries.get(model, {"id": model})
    if len(entries) != 1:
        raise RefusedError(f"policy.server.model is not given, expected one of {', '.join(entries) or 'none'}")
    return next(iter(entries.values()))
