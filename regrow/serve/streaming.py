"""Replies as server-sent events: comments while the search goes on, then the answer in pieces, then `[DONE]`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from regrow.serve.errors import ApiError
from regrow.serve.job import Job
from regrow.serve.settings import ServeSettings
from regrow.serve.wording import Wording

DONE = "[DONE]"
LINE = "\n"


class Stream(EventSourceResponse):
    """A job's reply. The job is closed when the reply is, also where the client left before its first word."""

    def __init__(self, job: Job, wording: Wording, settings: ServeSettings, *, tells_usage: bool) -> None:
        super().__init__(
            _events(job, wording, settings.progress_s, tells_usage=tells_usage),
            ping=settings.heartbeat_s,
            ping_message_factory=lambda: ServerSentEvent(comment="still there", sep=LINE),
            sep=LINE,
        )
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.close()


async def _events(
    job: Job, wording: Wording, progress_s: float, *, tells_usage: bool
) -> AsyncIterator[ServerSentEvent]:
    running = asyncio.ensure_future(job.run())
    try:
        while not (await asyncio.wait({running}, timeout=progress_s))[0]:
            yield ServerSentEvent(comment=job.progress(), sep=LINE)
        running.result()
        for piece in wording.pieces(job):
            yield _event(piece.model_dump_json())
        if tells_usage:
            yield _event(wording.bill(job.usage).model_dump_json())
        yield _event(DONE)
    except ApiError as error:  # the status is sent already
        yield _event(bytes(JSONResponse(error.body()).body).decode())
    finally:
        running.cancel()


def _event(data: str) -> ServerSentEvent:
    return ServerSentEvent(data, sep=LINE)
