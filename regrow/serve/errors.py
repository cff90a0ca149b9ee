"""What goes wrong, in the shape in which OpenAI's servers say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
"""Types of error; other refusals are `invalid_request_error`, and failures `server_error`."""

LONGEST_MESSAGE = 500


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
        message = self.detail[:LONGEST_MESSAGE]
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
            error = ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail}")
        return error.response()

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return ApiError(500, "the server failed at this request; its log says how").response()
