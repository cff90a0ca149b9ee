"""Who may come in, how much they may bring, and how many at once."""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from math import ceil
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.serve.errors import ApiError

OPEN = ("/health",)
"""Pages that need no key."""

_REMEMBERED = 64
"""Requests whose time tells how long the next will take."""


class Guard:
    """Middleware: asks for the key, and refuses bodies that are too large before they are read.

    Args:
        key: None asks for none.
        max_body: Bytes.
    """

    def __init__(self, app: ASGIApp, key: str | None, max_body: int) -> None:
        self._app = app
        self._key = None if key is None else f"Bearer {key}".encode()
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if self._key is not None and scope["path"] not in OPEN and not self._is_known(headers.get("authorization", "")):
            refused = ApiError(
                401, "no key, or a wrong one; expected it as Authorization: Bearer KEY", code="invalid_api_key"
            )
            await refused.response()(scope, receive, send)
        elif length.isdigit() and int(length) > self._max_body:
            await self._too_large().response()(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _is_known(self, sent: str) -> bool:
        return self._key is not None and hmac.compare_digest(sent.encode(), self._key)

    def _counted(self, receive: Receive) -> Receive:
        """Receives as `receive` does, until it is too much."""
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise self._too_large()
            return message

        return counting

    def _too_large(self) -> ApiError:
        return ApiError(413, f"the body is too large, expected at most {self._max_body} bytes", code="body_too_large")


class Doorway:
    """At most `concurrent` requests are inside, and `queue` wait; who finds the queue full is sent away."""

    def __init__(self, concurrent: int, queue: int) -> None:
        self._places = asyncio.Semaphore(concurrent)
        self._room = concurrent + queue
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._concurrent = concurrent
        self.inside = 0
        self.waiting = 0

    def enter(self) -> Place:
        """A place in the queue. Raises `ApiError` (429) if there is none."""
        if self.inside + self.waiting >= self._room:
            raise self.full("too many requests at once")
        return Place(self, self._places)

    def full(self, why: str) -> ApiError:
        """A refusal that says when to come again: when as many as there are now will have gone."""
        mean = sum(self._took_s) / max(1, len(self._took_s))
        seconds = max(1, ceil(mean * (self.inside + self.waiting) / self._concurrent))
        return ApiError(
            429,
            f"{why}, expected you to come again in {seconds} s",
            code="rate_limit_exceeded",
            headers={"Retry-After": str(seconds)},
        )

    def took(self, seconds: float) -> None:
        """Note how long a request was inside."""
        self._took_s.append(seconds)


class Place:
    """One request's place: first in the queue, then inside. It must be left."""

    def __init__(self, doorway: Doorway, places: asyncio.Semaphore) -> None:
        self._doorway = doorway
        self._places = places
        self._entered: float | None = None
        doorway.waiting += 1

    async def turn(self, timeout_s: float) -> None:
        """Wait until there is room inside. Raises `ApiError` (429) if it takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise self._doorway.full("the deadline came before its turn") from error
        self._entered = monotonic()
        self._doorway.waiting -= 1
        self._doorway.inside += 1

    def leave(self) -> None:
        """Give the place to the next."""
        if self._entered is None:
            self._doorway.waiting -= 1
            return
        self._doorway.inside -= 1
        self._doorway.took(monotonic() - self._entered)
        self._places.release()
