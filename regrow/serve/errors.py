"""What goes wrong, in the shape in which OpenAI's servers say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mcts.errors import one_line

KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
"""Types of error; other refusals are `invalid_request_error`, and failures `server_error`."""

EXPECTED = {400: "a body of JSON", 404: "a page beneath /v1", 405: "a method that the page has"}
"""What the framework's own refusals leave out."""


class ApiError(HTTPException):
    """A refusal or a failure.

    Args:
        param: The part of the request that it is about.
        code: A word by which programs know it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        """The reply's body."""
        message = one_line(self.detail)
        kind = KINDS.get(self.status_code, "server_error" if self.status_code >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The reply."""
        return JSONResponse(self.body(), self.status_code, self.headers)


def bad_request(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that cannot be honoured."""
    return ApiError(400, message, param=param, code=code)


def install(app: FastAPI) -> None:
    """Have every error of the application told in this shape."""

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or None
        told = f"{place}: {first['msg']}" if place else str(first["msg"])
        return bad_request(told, param=place).response()

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        if not isinstance(error, ApiError):
            expected = EXPECTED.get(error.status_code, "another request")
            told = f"{request.method} {request.url.path}: {error.detail}, expected {expected}"
            error = ApiError(error.status_code, told)
        return error.response()

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return ApiError(500, "the server failed at this request; its log says how").response()
