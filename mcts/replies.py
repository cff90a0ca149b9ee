"""Replies between two threads: an event loop makes them, a scheduler takes them."""

from __future__ import annotations

from collections.abc import Awaitable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from mcts.errors import InputError, first_line
from mcts.types import Proposal, Ticket, Values

R = TypeVar("R", Proposal, Values)


class Replies(Generic[R]):
    """The finished replies of an engine, in the order they were finished.

    Args:
        engine: Whose they are, as its errors begin.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._finished: SimpleQueue[tuple[Ticket, R | BaseException]] = SimpleQueue()
        self._failure: BaseException | None = None

    async def answer(self, ticket: Ticket, work: Awaitable[R]) -> None:
        """Keep what `work` comes to, be it an error."""
        try:
            self._finished.put((ticket, await work))
        except BaseException as error:  # noqa: BLE001 - it is raised again where replies are taken
            self._finished.put((ticket, error))

    def take(self, timeout_s: float) -> list[tuple[Ticket, R]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none.

        Raises:
            InputError: The engine has failed. What it answered before was taken first, so none of it is lost.
        """
        arrived: list[tuple[Ticket, R]] = []
        wait = 0.0 if self._failure else timeout_s
        while True:
            try:
                ticket, reply = self._finished.get(timeout=wait) if wait > 0 else self._finished.get_nowait()
            except Empty:
                break
            wait = 0.0
            if isinstance(reply, BaseException):
                self._failure = self._failure or reply
                continue
            arrived.append((ticket, reply))
        if self._failure and not arrived:
            raise InputError(
                f"{self._engine}: {first_line(self._failure)}; run the same command again, it goes on where it stopped"
            ) from self._failure
        return arrived
