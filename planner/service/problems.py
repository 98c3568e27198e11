"""Errors as `application/problem+json` (RFC 9457), made from the exception's class."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Mount

from planner.errors import PlannerError
from planner.service.openai_errors import code_of, openai_error, snake, status_of, takes_openai_form

LOGGER = logging.getLogger("planner.service")
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_OF_FILES = ("GET", "HEAD")
_OF_PYDANTIC = re.compile(r"(?:(?<=: )|^)Value error, ")


class Problem(BaseModel):
    """What went wrong and what to do about it; `type` names the class of the error."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[dict[str, Any]] | None = None


class ProblemResponse(JSONResponse):
    """A problem as its own media type."""

    media_type = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    code: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
    path: str = "",
) -> Response:
    """The response of one problem; `kind` is the class of the error, else the status in words.

    At a path that clients of OpenAI's API use it is told in OpenAI's form, by its `code`, else the one of its class.
    """
    if takes_openai_form(path):
        param = errors[0]["where"].removeprefix("body.") if errors else None
        code = code or (None if kind is None else snake(kind))
        return openai_error(status, detail, param=param, code=code, headers=headers)
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:planner:problem:{_kebab(kind or title)}",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return ProblemResponse(body | ({"errors": errors} if errors else {}), status, headers=dict(headers or {}))


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    family: {
        "description": description,
        "content": {ProblemResponse.media_type: {"schema": Problem.model_json_schema()}},
    }
    for family, description in (
        ("4XX", "What is wrong with the request, or has to be done first."),
        ("5XX", "What failed."),
    )
}
"""What every route's documentation says of problems."""


def install(app: FastAPI) -> None:
    """Answer every exception of the application with a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _unforeseen)


def answer_of(request: Request, error: Exception) -> Response:
    """The problem that an exception becomes."""
    for kind, handler in _HANDLERS.items():
        if isinstance(error, kind):
            return handler(request, error)
    return _unforeseen(request, error)


def _planner_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlannerError)
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        LOGGER.error("%s: %s", type(error).__name__, error)
    passes = status == HTTPStatus.SERVICE_UNAVAILABLE
    return problem(
        status,
        _plain(str(error)),
        kind=type(error).__name__,
        code=code_of(error),
        request_id=_id(request),
        headers={"Retry-After": "1"} if passes else None,
        path=request.url.path,
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # it was not read as JSON
        said = request.headers.get("content-type", "none")
        detail = f"a body is read as JSON where the header Content-Type is application/json: here it is {said}"
        return problem(422, detail, kind="InvalidInput", request_id=_id(request), path=request.url.path)
    if error.errors()[0]["type"] == "json_invalid":
        detail = f"the body is no JSON that can be taken: {error.errors()[0]['ctx']['error']}"
        return problem(422, detail, kind="InvalidInput", request_id=_id(request), path=request.url.path)
    found = [{"where": ".".join(map(str, e["loc"])), "what": _plain(e["msg"])} for e in error.errors()]
    detail = "; ".join(f"{e['where']}: {e['what']}" for e in found[:5])
    return problem(422, detail, kind="InvalidInput", request_id=_id(request), path=request.url.path, errors=found)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router names the methods of the first route of that path alone.
        headers["Allow"] = ", ".join(_allowed(request))
    detail = str(error.detail)
    if detail == HTTPStatus.NOT_FOUND.phrase:  # the router's own word
        detail = f"there is no {request.method} {request.url.path} here: /docs tells what there is"
    return problem(error.status_code, detail, request_id=_id(request), path=request.url.path, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Methods that the path takes; where a route names its last part word for word, those that take any part not.

    So `/v1/policies/rollback` takes POST alone, though `rollback` could stand for a policy's id.
    """
    head = request.scope["path"].rpartition("/")[0]
    taken = _methods(request, request.scope["path"])
    return sorted(taken - _methods(request, f"{head}/~") or taken)


def _methods(request: Request, path: str) -> set[str]:
    """Methods that some route takes: each is tried, since a router among the routes does not name them."""
    return {method for method in _METHODS if any(_takes(route, request, path, method) for route in request.app.routes)}


def _takes(route: BaseRoute, request: Request, path: str, method: str) -> bool:
    if isinstance(route, Mount) and method not in _OF_FILES:
        return False
    root = request.scope.get("app_root_path", "")  # within a mount `root_path` is the mount's own
    tried = {**request.scope, "path": path, "root_path": root, "method": method}
    return route.matches(tried)[0] is Match.FULL


def _unforeseen(request: Request, error: Exception) -> Response:
    LOGGER.error("%s on %s", type(error).__name__, request.url.path, exc_info=error)
    return problem(
        500, "an error that was not foreseen; the server's log has it", request_id=_id(request), path=request.url.path
    )


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    PlannerError: _planner_error,
    RequestValidationError: _invalid,
    HTTPException: _http,
}


def _id(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


def _plain(words: str) -> str:
    """Words without what pydantic sets before those of a validator."""
    return _OF_PYDANTIC.sub("", words, count=1)


def _kebab(words: str) -> str:
    return snake(words).replace("_", "-")
