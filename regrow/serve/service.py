"""What all requests share."""

from __future__ import annotations

import time

from regrow.searcher import Searcher
from regrow.serve.job import Job
from regrow.serve.limits import Doorway
from regrow.serve.metrics import Metrics
from regrow.serve.order import Order, Orders
from regrow.serve.settings import ServeSettings


class Service:
    """One searcher, one queue, one account.

    Attributes:
        started: Unix time.
        ended: Why the engine is gone; empty while it works.
    """

    def __init__(self, orders: Orders, searcher: Searcher, settings: ServeSettings) -> None:
        self.orders = orders
        self.searcher = searcher
        self.settings = settings
        self.doorway = Doorway(settings.concurrent, settings.queue)
        self.metrics = Metrics(self.doorway)
        self.started = int(time.time())
        self.ended = ""

    def job(self, order: Order) -> Job:
        """Take an order. Raises `ApiError` if the queue is full."""
        return Job(self, order)
