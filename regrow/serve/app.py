"""The pages of the server."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

import regrow.serve.errors
from regrow.serve.errors import ApiError
from regrow.serve.job import Job
from regrow.serve.limits import Guard
from regrow.serve.metrics import Counted
from regrow.serve.order import Order
from regrow.serve.protocol import (
    Asked,
    ChatCompletion,
    ChatRequest,
    Completion,
    CompletionRequest,
    Model,
    ModelList,
)
from regrow.serve.service import Service
from regrow.serve.streaming import Stream
from regrow.serve.wording import ChatWording, TextWording, Wording

CLIENT_LEFT = 499
"""The status that nobody receives (nginx's number)."""


def create_app(service: Service, key: str | None = None) -> FastAPI:
    """The application.

    Args:
        key: What clients must send; None asks for none.
    """
    app = FastAPI(title="regrow", docs_url=None, redoc_url=None)  # their pages load scripts from elsewhere
    app.add_middleware(Guard, key=key, max_body=service.settings.max_body)
    app.add_middleware(Counted, metrics=service.metrics)
    regrow.serve.errors.install(app)
    _answering(app, service)
    _telling(app, service)
    return app


def _answering(app: FastAPI, service: Service) -> None:
    """The pages that search."""

    @app.post("/v1/chat/completions", response_model=ChatCompletion)
    async def chat_completions(request: Request, body: ChatRequest) -> Response:
        return await _reply(service.orders.of_chat(body), request, body, ChatWording(body.model))

    @app.post("/v1/completions", response_model=Completion)
    async def completions(request: Request, body: CompletionRequest) -> Response:
        return await _reply(service.orders.of_completion(body), request, body, TextWording(body.model))

    async def _reply(order: Order, request: Request, body: Asked, wording: Wording) -> Response:
        job = service.job(order)
        if body.stream:
            tells_usage = body.stream_options is not None and body.stream_options.include_usage
            return Stream(job, wording, service.settings, tells_usage=tells_usage)
        try:
            return await _while_there(job, request, wording)
        finally:
            job.close()


async def _while_there(job: Job, request: Request, wording: Wording) -> Response:
    """The job's reply; the job is given up when the client leaves."""
    running, leaving = asyncio.ensure_future(job.run()), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return Response(status_code=CLIENT_LEFT)
        running.result()
        return JSONResponse(wording.whole(job).model_dump())
    finally:
        running.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Returns when the client has left. Its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _telling(app: FastAPI, service: Service) -> None:
    """The pages that tell of the server itself."""
    catalogue = service.orders.catalogue

    @app.get("/v1/models")
    async def models() -> ModelList:
        return ModelList(data=[Model(id=name, created=service.started) for name in catalogue.models()])

    @app.get("/v1/models/{model}")
    async def model(model: str) -> Model:
        catalogue.strategy(model)
        return Model(id=model, created=service.started)

    @app.get("/health")
    async def health() -> dict[str, str]:
        if service.ended:
            raise ApiError(503, "the engine has ended; the server's log says why", code="engine_ended")
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)
