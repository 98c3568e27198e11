"""The routes that are asked all day, without a framework's part in them: half of what a small request would cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.types import Message, Receive, Scope, Send

from planner.service.context import Context
from planner.service.gateway.body import ChatBody
from planner.service.gateway.request import ITS_BUDGET
from planner.service.gateway.sse import Stream
from planner.service.problems import answer_of
from planner.service.routes import chat, recommendations, runs
from planner.service.schemas import LogRequest, RecommendationRequest

MOST_BYTES_AT_ONCE = 256_000
"""Larger bodies are read in a thread, one after the other: what is asked meanwhile is answered meanwhile."""
_JSON = (b"application/json", b"application/json; charset=utf-8")


async def _recommend(body: RecommendationRequest, _: object, __: Scope, context: Context) -> Response:
    return await recommendations.recommend(body, context)


async def _complete(body: ChatBody, raw: Mapping[str, Any], scope: Scope, context: Context) -> Response:
    given = dict(scope["headers"]).get(ITS_BUDGET.encode())
    return await chat.answer(body, raw, None if given is None else given.decode("latin-1"), context)


async def _log(body: Any, _: object, __: Scope, context: Context) -> Response:  # noqa: ANN401 - no class: a union
    return await runs.log(body, context)


@dataclass(frozen=True)
class _Hot:
    """A documented route (the figures call it by `path`), its body and its function, given the body as JSON too."""

    path: str
    body: TypeAdapter[Any]
    answer: Callable[[Any, Any, Scope, Context], Awaitable[Response]]


_ROUTES = {
    one.path: one
    for one in (
        _Hot(recommendations.ROUTE, TypeAdapter(RecommendationRequest), _recommend),
        _Hot(chat.ROUTE, TypeAdapter(ChatBody), _complete),
        _Hot(runs.ROUTE, TypeAdapter(LogRequest), _log),
    )
}


class _Asked(NamedTuple):
    """A body as JSON, and as its route takes it."""

    raw: Any
    body: Any


@dataclass(frozen=True)
class HotRoute:
    """Answers POSTs to a few routes by the functions of the documented ones; `app` answers everything else.

    A body that is no JSON is handed to `app` as well: there is one place that says what is wrong with it.
    """

    app: FastAPI
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = _ROUTES.get(scope.get("path", ""))
        if route is None or scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            scope["route"] = route
            await Stream(send).nobody()
            return
        asked = await self._parsed(route, body) if _says_json(scope) else None
        if asked is None:
            await self.app(scope, _again(body, receive), send)
            return
        scope["route"] = route
        if isinstance(asked, Exception):
            await answer_of(Request(scope), asked)(scope, receive, send)
            return
        try:
            response = await route.answer(asked.body, asked.raw, scope, self.app.state.context)
            await response(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - each becomes a problem, as the framework would have it
            await answer_of(Request(scope), error)(scope, receive, send)

    async def _parsed(self, route: _Hot, body: bytes) -> _Asked | RequestValidationError | None:
        if len(body) <= MOST_BYTES_AT_ONCE:
            return _parse(route, body)
        async with self._reading:  # several threads at it would each have the interpreter before who answers
            return await asyncio.to_thread(_parse, route, body)


def _parse(route: _Hot, body: bytes) -> _Asked | RequestValidationError | None:
    """The body, or what is wrong with it, as the framework finds it; None where that is no JSON at all."""
    try:
        raw = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    if raw is None:
        return None
    try:
        return _Asked(raw, route.body.validate_python(raw, from_attributes=True))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found])


def _says_json(scope: Scope) -> bool:
    return any(name == b"content-type" and value.lower() in _JSON for name, value in scope["headers"])


async def _read(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` that begins with a body that was read already."""
    waits = True

    async def again() -> Message:
        nonlocal waits
        if waits:
            waits = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
