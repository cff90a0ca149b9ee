"""URLs that serve the same model: which one is asked, how many requests are open, what is done when one fails."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import count
from time import monotonic, time
from typing import Any, TypeVar

from mcts.errors import InputError, first_line
from mcts.seeds import seed_of
from policy.loop import LoopThread
from policy.server_settings import ServerSettings

T = TypeVar("T")
Fields = Mapping[str, Any]
"""A JSON object."""

LONGEST_REST_S = 600.0
"""However long a server asks to be left alone."""
_NO_KEY = "none"
_LONGEST_MESSAGE = 200
_PASSING = frozenset({408, 409, 425, 429})
"""Statuses that another attempt may change, beside those from 500 on."""
_EXPECTED = {
    401: "a key that it takes in ${key_env}",
    403: "a key that it takes in ${key_env}",
    404: "policy.server.urls to end as the server's (in /v1) and policy.server.model to be one of its models",
}
_FULL = re.compile(r"context.{0,12}(length|size|window)|max_model_len", re.IGNORECASE)


class BadReplyError(Exception):
    """A reply that says too little, or nothing that can be read. Another attempt may help."""


class RefusedError(Exception):
    """A server does not do what is asked, and will not the next time.

    Attributes:
        status: Of HTTP, where it is what tells so.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class WindowFullError(RefusedError):
    """The prompt and what may follow it do not fit into the model's context window."""


@dataclass(slots=True)
class _Endpoint:
    """A URL.

    Attributes:
        open: Requests at the server.
        failures: In a row. After one, a single request tries whether it is back.
        failed_at: When the last was; requests that began before tell nothing new.
        rests_until: When it may be asked again.
    """

    url: str
    client: Any
    open: int = 0
    failures: int = 0
    failed_at: float = 0.0
    rests_until: float = 0.0


class Endpoints:
    """Puts requests to the URL with the fewest open. All methods but the constructor belong on one event loop.

    A URL that fails is set aside: half a second, one, two, and so on, or for as long as it says. Its requests go on
    to the others, or wait.

    Raises:
        InputError: The `openai` library is not installed.
    """

    def __init__(self, settings: ServerSettings) -> None:
        try:
            from openai import AsyncOpenAI
        except ImportError as error:
            raise InputError(f"policy=server: {error}, expected openai (pip install 'regrow[server]')") from error
        self._settings = settings
        self._key = (os.environ.get(settings.key_env) if settings.key_env else None) or _NO_KEY
        self._endpoints = [
            _Endpoint(url, AsyncOpenAI(base_url=url, api_key=self._key, max_retries=0, timeout=settings.timeout_s))
            for url in settings.urls
        ]
        self._waiting: deque[asyncio.Future[_Endpoint]] = deque()

    async def post(self, path: str, body: Fields, read: Callable[[Fields], T]) -> T:
        """What `read` makes of the reply to `body`. It raises `BadReplyError` where it can make nothing of it.

        Raises:
            WindowFullError: The request is too long for the model.
            RefusedError: Another attempt would not help, or none of them did.
        """
        return await self._ask(lambda client: client.post(path, cast_to=object, body=body), read)

    async def get(self, path: str, read: Callable[[Fields], T]) -> T:
        """What `read` makes of the reply. Raises as `post` does."""
        return await self._ask(lambda client: client.get(path, cast_to=object), read)

    async def _ask(self, send: Callable[[Any], Any], read: Callable[[Fields], T]) -> T:
        for attempt in count(1):
            endpoint = await self._free(goes_first=attempt > 1)
            began = monotonic()
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    reply = read(_object(await send(endpoint.client)))
            except Exception as error:
                what, rest = self._told(endpoint, error)
                self._set_aside(endpoint, began, rest)
                is_over = all(other.failures >= self._settings.attempts for other in self._endpoints)
                if attempt >= self._settings.attempts or is_over:
                    tries = f"{max(attempt, endpoint.failures)} failures in a row"
                    raise RefusedError(f"{endpoint.url}: {what} ({tries}), expected a server that answers") from error
            else:
                endpoint.failures = 0
                return reply
            finally:
                endpoint.open -= 1
                self._hand_out()
        raise AssertionError

    # --- whose turn it is -------------------------------------------------------------------------------------------

    async def _free(self, *, goes_first: bool) -> _Endpoint:
        """Wait for a URL with room. Those that were put before go first."""
        turn: asyncio.Future[_Endpoint] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if goes_first else self._waiting.append)(turn)
        self._hand_out()
        return await turn

    def _hand_out(self) -> None:
        """Give every URL that has room to those who wait; come back when one has rested."""
        while self._waiting:
            now = monotonic()
            able = [endpoint for endpoint in self._endpoints if endpoint.open < self._room(endpoint)]
            awake = [endpoint for endpoint in able if endpoint.rests_until <= now]
            if not awake:
                if able:
                    rest = min(endpoint.rests_until for endpoint in able) - now
                    asyncio.get_running_loop().call_later(rest, self._hand_out)
                return
            turn = self._waiting.popleft()
            if not turn.done():
                endpoint = min(awake, key=lambda endpoint: endpoint.open)
                endpoint.open += 1
                turn.set_result(endpoint)

    def _room(self, endpoint: _Endpoint) -> int:
        return 1 if endpoint.failures else self._settings.concurrency

    def _set_aside(self, endpoint: _Endpoint, began: float, rest: float | None) -> None:
        """Leave a URL alone. Of requests that failed together the first one counts."""
        now = monotonic()
        if began >= endpoint.failed_at:
            endpoint.failures += 1
            endpoint.failed_at = now
        longest = min(self._settings.rest_s * 2.0 ** (endpoint.failures - 1), self._settings.rest_max_s)
        jitter = seed_of(endpoint.url, os.getpid(), endpoint.failures) / 2**64
        wait = longest * (0.5 + 0.5 * jitter) if rest is None else min(rest, LONGEST_REST_S)
        endpoint.rests_until = max(endpoint.rests_until, endpoint.failed_at + wait)

    # --- what went wrong --------------------------------------------------------------------------------------------

    def _told(self, endpoint: _Endpoint, error: Exception) -> tuple[str, float | None]:
        """What a passing error says, and how long the server wants to be left alone.

        Raises:
            RefusedError: It will not pass.
        """
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APITimeoutError | TimeoutError):
            return f"no reply within {self._settings.timeout_s:g} s (policy.server.timeout_s)", None
        if isinstance(error, APIConnectionError):
            return self._hidden(f"{first_line(error)} ({first_line(error.__cause__ or error)})"), None
        if isinstance(error, APIStatusError):
            status, said = error.status_code, self._hidden(_message(error))
            if status in _PASSING or status >= 500:
                return f"HTTP {status}: {said}", rest_of(error.response.headers)
            if status in (400, 413, 422) and _FULL.search(said):
                raise WindowFullError(f"{endpoint.url}: {said}") from error
            expected = _EXPECTED.get(status, "a server that takes such requests").format(key_env=self._settings.key_env)
            raise RefusedError(f"{endpoint.url}: HTTP {status}: {said}; expected {expected}", status) from error
        if isinstance(error, BadReplyError | ValueError):
            return self._hidden(f"unreadable reply: {first_line(error)}"), None
        raise error

    def _hidden(self, said: str) -> str:
        """What a server said, without the key, should it repeat that."""
        return said if self._key == _NO_KEY else said.replace(self._key, "***")


def _message(error: Any) -> str:
    """What a server says in a status error, in one line."""
    body = error.body
    said = body.get("message") or body.get("detail") if isinstance(body, Mapping) else body
    return " ".join(str(said or first_line(error)).split())[:_LONGEST_MESSAGE]


def rest_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, given as a number or as a date; None where it does not."""
    told = headers.get("retry-after")
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time())
    except ValueError:
        return None


def _object(reply: object) -> Fields:
    if not isinstance(reply, Mapping):
        raise BadReplyError(f"{str(reply)[:60]!r} is no JSON object")
    return reply


@cache
def loop() -> LoopThread:
    """The thread that all servers are asked on."""
    thread = LoopThread("server")
    atexit.register(thread.close)
    return thread


@cache
def endpoints_of(settings: ServerSettings) -> Endpoints:
    """The endpoints of these settings: policies that follow each other share connections and what is known."""
    return Endpoints(settings)
