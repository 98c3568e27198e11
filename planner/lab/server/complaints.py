"""Errors in OpenAI's form."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from planner.errors import EndpointRejected, PlannerError, RequestRefused


class Refused(Exception):
    """A request that cannot be served as it is."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def refusal_of(error: ValidationError) -> Refused:
    """What is wrong with a body, of all that is the first."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or None
    message = first["msg"].removeprefix("Value error, ")
    return Refused(f"{place}: {message}" if place else message, param=place)


async def on_refused(_: Request, error: Exception) -> Response:
    """The answer to a refused request."""
    assert isinstance(error, Refused)
    return _complaint(error.status, str(error), param=error.param, code=error.code)


async def on_rejected(_: Request, error: Exception) -> Response:
    """The answer where the models could not do what was asked."""
    assert isinstance(error, PlannerError)
    code = error.code if isinstance(error, RequestRefused) else None
    return _complaint(400 if isinstance(error, EndpointRejected) else 500, str(error), code=code)


async def on_http(_: Request, error: Exception) -> Response:
    """The answer to an unknown route or method."""
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: this server has /v1/models, /v1/chat/completions, /v1/completions and /v1/score"
    return _complaint(error.status_code, message)


async def on_unforeseen(_: Request, error: Exception) -> Response:
    """The answer where the server is at fault."""
    return _complaint(500, f"the server failed ({type(error).__name__}); its log has more")


def _complaint(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status)
