"""Answers in the words of the two kinds of request, whole and in pieces."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Protocol

from regrow.serve.job import Job
from regrow.serve.protocol import (
    AssistantMessage,
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatCompletion,
    Completion,
    Delta,
    FinishReason,
    ReplyOfAny,
    Searched,
    TextChoice,
    Usage,
)


class Wording(Protocol):
    """Writes the reply to one request."""

    def whole(self, job: Job) -> ReplyOfAny:
        """The reply."""

    def pieces(self, job: Job) -> Iterator[ReplyOfAny]:
        """The reply step by step, answer after answer."""

    def bill(self, usage: Usage) -> ReplyOfAny:
        """The last piece of a stream that tells its usage."""


class ChatWording:
    """Of `/v1/chat/completions`."""

    def __init__(self, model: str) -> None:
        self._id, self._created, self._model = f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), model

    def whole(self, job: Job) -> ChatCompletion:
        """The reply."""
        choices = [
            ChatChoice(
                index=i,
                finish_reason=answer.finish_reason,
                regrow=answer.searched,
                message=AssistantMessage(content=answer.text),
            )
            for i, answer in enumerate(job.answers)
        ]
        return ChatCompletion(id=self._id, created=self._created, model=self._model, choices=choices, usage=job.usage)

    def pieces(self, job: Job) -> Iterator[ChatChunk]:
        """Who speaks, what they say, why they end."""
        for i, answer in enumerate(job.answers):
            yield self._piece(i, Delta(role="assistant", content=""))
            for text in answer.pieces:
                yield self._piece(i, Delta(content=text))
            yield self._piece(i, Delta(), answer.finish_reason, answer.searched)

    def bill(self, usage: Usage) -> ChatChunk:
        """The usage, and no answer."""
        return ChatChunk(id=self._id, created=self._created, model=self._model, choices=[], usage=usage)

    def _piece(
        self, index: int, delta: Delta, reason: FinishReason | None = None, searched: Searched | None = None
    ) -> ChatChunk:
        choice = ChatChunkChoice(index=index, finish_reason=reason, regrow=searched, delta=delta)
        return ChatChunk(id=self._id, created=self._created, model=self._model, choices=[choice])


class TextWording:
    """Of `/v1/completions`."""

    def __init__(self, model: str) -> None:
        self._id, self._created, self._model = f"cmpl-{uuid.uuid4().hex}", int(time.time()), model

    def whole(self, job: Job) -> Completion:
        """The reply."""
        choices = [
            TextChoice(index=i, finish_reason=answer.finish_reason, regrow=answer.searched, text=answer.text)
            for i, answer in enumerate(job.answers)
        ]
        return Completion(id=self._id, created=self._created, model=self._model, choices=choices, usage=job.usage)

    def pieces(self, job: Job) -> Iterator[Completion]:
        """What it says, and why it ends."""
        for i, answer in enumerate(job.answers):
            for text in answer.pieces:
                yield self._piece(TextChoice(index=i, finish_reason=None, text=text))
            yield self._piece(TextChoice(index=i, finish_reason=answer.finish_reason, regrow=answer.searched, text=""))

    def bill(self, usage: Usage) -> Completion:
        """The usage, and no answer."""
        return Completion(id=self._id, created=self._created, model=self._model, choices=[], usage=usage)

    def _piece(self, choice: TextChoice) -> Completion:
        return Completion(id=self._id, created=self._created, model=self._model, choices=[choice])
