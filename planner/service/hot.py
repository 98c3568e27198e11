"""The one route that is asked all day, without a framework's part in it: half of what such a request would cost."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request
from pydantic import TypeAdapter
from pydantic_core import from_json
from starlette.types import Message, Receive, Scope, Send

from planner.service.problems import answer_of
from planner.service.routes.recommendations import ROUTE, recommend
from planner.service.schemas import RecommendationRequest

_JSON = (b"application/json", b"application/json; charset=utf-8")
_BODY = TypeAdapter(RecommendationRequest)


@dataclass(frozen=True)
class _Served:
    """What the figures call the route by."""

    path: str


_ROUTE = _Served(ROUTE)


@dataclass(frozen=True)
class HotRoute:
    """Answers POST /v1/recommendations by the function of the documented route; `app` answers everything else.

    A body that is not as documented is handed to `app` as well: there is one place that says what is wrong with it.
    """

    app: FastAPI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("path") != ROUTE or scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:  # the client is gone
            return
        try:
            asked = _BODY.validate_python(from_json(body, allow_inf_nan=False)) if _says_json(scope) else None
        except ValueError:
            asked = None
        if asked is None:
            await self.app(scope, _again(body, receive), send)
            return
        scope["route"] = _ROUTE
        try:
            response = await recommend(asked, self.app.state.context)
        except Exception as error:  # noqa: BLE001 - each becomes a problem, as the framework would have it
            response = answer_of(Request(scope), error)
        await response(scope, receive, send)


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
