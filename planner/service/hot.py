"""The routes that are asked all day, without a framework's part in them: half of what a small request would cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import TypeAdapter
from pydantic_core import from_json
from starlette.types import Message, Receive, Scope, Send

from planner.service.context import Context
from planner.service.gateway.body import ChatBody
from planner.service.gateway.request import ITS_BUDGET
from planner.service.problems import answer_of
from planner.service.routes import chat, recommendations
from planner.service.schemas import RecommendationRequest

_JSON = (b"application/json", b"application/json; charset=utf-8")


async def _recommend(body: RecommendationRequest, _: object, __: Scope, context: Context) -> Response:
    return await recommendations.recommend(body, context)


async def _complete(body: ChatBody, raw: Mapping[str, Any], scope: Scope, context: Context) -> Response:
    given = dict(scope["headers"]).get(ITS_BUDGET.encode())
    return await chat.answer(body, raw, None if given is None else given.decode("latin-1"), context)


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
    )
}


@dataclass(frozen=True)
class HotRoute:
    """Answers POSTs to a few routes by the functions of the documented ones; `app` answers everything else.

    A body that is not as documented is handed to `app` as well: there is one place that says what is wrong with it.
    """

    app: FastAPI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = _ROUTES.get(scope.get("path", ""))
        if route is None or scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:  # the client is gone
            return
        raw = asked = None
        try:
            if _says_json(scope):
                raw = from_json(body, allow_inf_nan=False)
                asked = route.body.validate_python(raw)
        except ValueError:
            asked = None
        if asked is None:
            await self.app(scope, _again(body, receive), send)
            return
        scope["route"] = route
        try:
            response = await route.answer(asked, raw, scope, self.app.state.context)
            await response(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - each becomes a problem, as the framework would have it
            await answer_of(Request(scope), error)(scope, receive, send)


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
