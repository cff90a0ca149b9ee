"""Figures for Prometheus."""

from __future__ import annotations

from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.serve.limits import Doorway

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Bounds of the histogram of a request's time."""

PAGES = ("/v1/chat/completions", "/v1/completions", "/v1/models", "/health", "/metrics")


class Metrics:
    """What one server counts.

    Attributes:
        requests: Requests, by page and HTTP status.
        tokens: Tokens that searches generated.
        abandoned: Requests whose client left before the answer.
        late: Requests that their deadline cut short.
        seconds: Time from a request's arrival to the end of its answer, by page.
        searches: Searches under way.
    """

    def __init__(self, doorway: Doorway) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("regrow_requests", "Requests.", ["page", "status"], registry=self.registry)
        self.tokens = Counter("regrow_generated_tokens", "Tokens that searches generated.", registry=self.registry)
        self.abandoned = Counter("regrow_abandoned", "Requests whose client left.", registry=self.registry)
        self.late = Counter("regrow_late", "Requests that their deadline cut short.", registry=self.registry)
        self.seconds = Histogram(
            "regrow_request_seconds", "From arrival to answer.", ["page"], buckets=SECONDS, registry=self.registry
        )
        self.searches = Gauge("regrow_searches", "Searches under way.", registry=self.registry)
        inside = Gauge("regrow_requests_inside", "Requests that are searched.", registry=self.registry)
        inside.set_function(lambda: doorway.inside)
        waiting = Gauge("regrow_requests_waiting", "Requests that wait for their turn.", registry=self.registry)
        waiting.set_function(lambda: doorway.waiting)

    def page(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)


class Counted:
    """Middleware: counts requests by page and status, and times them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = scope["path"] if scope["path"] in PAGES else "other"  # strangers' paths would be labels without end
        start = monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.requests.labels(page, message["status"]).inc()
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.seconds.labels(page).observe(monotonic() - start)
