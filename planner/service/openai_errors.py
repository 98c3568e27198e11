"""Errors in OpenAI's form, under the routes that clients of OpenAI's API use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from planner.errors import PlannerError, RequestRefused

_HEADS = ("/v1/chat/", "/v1/models", "/v1/completions", "/v1/embeddings", "/v1/responses")
_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES: Mapping[int, str] = {401: "invalid_api_key", 413: "request_too_large", 429: "rate_limit_exceeded"}
_UNPROCESSABLE = 422


class OpenAIError(BaseModel):
    """What went wrong; `code` names it for programs, `param` the member of the request."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIErrorBody(BaseModel):
    """The body of an error."""

    error: OpenAIError


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    family: {"model": OpenAIErrorBody, "description": description}
    for family, description in (
        ("4XX", "What is wrong with the request, or has to be done first, in OpenAI's form."),
        ("5XX", "What failed, in OpenAI's form."),
    )
}
"""What these routes' documentation says of errors."""


def takes_openai_form(path: str) -> bool:
    """Whether errors at a path are told in OpenAI's form: also where there is no route, since its clients ask there."""
    return path.startswith(_HEADS)


def openai_error_body(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> OpenAIErrorBody:
    """The body of an error."""
    kind = _TYPES.get(status) or ("server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None)
    error = OpenAIError(
        message=message, type=kind or "invalid_request_error", param=param, code=code or _CODES.get(status)
    )
    return OpenAIErrorBody(error=error)


def openai_error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response of an error; clients are told to try again only where that may help.

    What cannot be used as it is has status 400, as OpenAI has it, not 422.
    """
    status = 400 if status == _UNPROCESSABLE else status
    told = dict(headers or {})
    if status not in {408, 429, 503}:
        # Clients would repeat a 409 and all of 5XX, and so spend anew what failed.
        told.setdefault("x-should-retry", "false")
    body = openai_error_body(status, message, param=param, code=code)
    return JSONResponse(body.model_dump(), status, headers=told)


def status_of(error: PlannerError) -> int:
    """The status of an error: what a model's server refuses for what it is, is the fault of whoever asked for it."""
    return HTTPStatus.BAD_REQUEST if isinstance(error, RequestRefused) else error.http_status


def code_of(error: PlannerError) -> str:
    """What an error is called for programs: by the server that refused a request, else by its class."""
    return error.code if isinstance(error, RequestRefused) else snake(type(error).__name__)


def snake(words: str) -> str:
    """Words, or the name of a class, as_one_word.

    >>> snake("EndpointRejected")
    'endpoint_rejected'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])| ", "_", words).lower()
