"""One request's searches, from its place in the queue to its answers."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from mcts.errors import first_line
from mcts.tree import SearchTree
from regrow.progress import console
from regrow.searcher import Pending
from regrow.serve.cut import CutAnswer, cut
from regrow.serve.errors import ApiError
from regrow.serve.order import Order
from regrow.serve.protocol import Usage

if TYPE_CHECKING:
    from regrow.serve.service import Service


class Job:
    """It waits for its turn, its searches run, and then there are answers. It must be closed, however it went.

    Attributes:
        answers: Once `run` is through.
        usage: Likewise.

    Raises:
        ApiError: The queue is full (429).
    """

    def __init__(self, service: Service, order: Order) -> None:
        self.order = order
        self.answers: tuple[CutAnswer, ...] = ()
        self._service = service
        self._deadline = monotonic() + order.seconds
        self._pendings: list[Pending] = []
        self._is_over = False
        self._place = service.doorway.enter()

    @property
    def usage(self) -> Usage:
        """What all searches cost."""
        prompt, generated = self.order.prompt_tokens, sum(answer.searched.tokens for answer in self.answers)
        return Usage(prompt_tokens=prompt, completion_tokens=generated, total_tokens=prompt + generated)

    async def run(self) -> None:
        """Search, until the deadline at the latest.

        Raises:
            ApiError: The turn did not come in time (429), the search failed (400), or the engine did (503).
        """
        try:
            await self._place.turn(self._left_s())
            trees = await self._searched()
            self.answers = tuple(cut(self.order, self._service.orders.prompts, tree) for tree in trees)
        except Exception:
            self._is_over = True
            raise
        self._is_over = True

    async def _searched(self) -> list[SearchTree]:
        metrics, searcher = self._service.metrics, self._service.searcher
        self._pendings = [searcher.submit(query) for query in self.order.queries(max(self._left_s(), 1e-3))]
        metrics.searches.inc(len(self._pendings))
        # Never cancelled: that would reach through to futures that are the searcher's.
        futures = [asyncio.wrap_future(pending.future) for pending in self._pendings]
        done, late = await asyncio.wait(futures, timeout=max(0.0, self._left_s()))
        if late:
            metrics.late.inc()
        for pending in self._pendings:
            pending.cancel()
        if error := next((failed for one in done if (failed := one.exception())), None):
            if not self._service.ended:
                console.print(f"serve: the engine has ended: {first_line(error)}")
            self._service.ended = first_line(error)
            raise ApiError(503, "the engine has ended; the server's log says why", code="engine_ended") from error
        trees = [pending.result() for pending in self._pendings]
        metrics.tokens.inc(sum(tree.spent.tokens_generated for tree in trees))
        return trees

    def progress(self) -> str:
        """How far it is, in a line."""
        if not self._pendings:
            return "waiting"
        trees = [tree for pending in self._pendings if (tree := pending.best()) is not None]
        finals = sum(len(tree.finals()) for tree in trees)
        return f"{sum(tree.spent.tokens_generated for tree in trees)} tokens, {finals} solutions"

    def close(self) -> None:
        """Give up what is under way, and the place."""
        if not self._is_over:
            self._service.metrics.abandoned.inc()
        for pending in self._pendings:
            pending.cancel()
        self._service.metrics.searches.dec(len(self._pendings))
        self._place.leave()

    def _left_s(self) -> float:
        """Seconds to the deadline."""
        return self._deadline - monotonic()
