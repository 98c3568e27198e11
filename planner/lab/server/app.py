"""The application: routes over one engine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from planner.errors import PlannerError
from planner.lab.engine import GENERATORS, VERIFIER, Engine
from planner.lab.server.bodies import Body, ChatBody, ScoreBody, TextBody
from planner.lab.server.complaints import (
    Refused,
    on_http,
    on_refused,
    on_rejected,
    on_unforeseen,
    refusal_of,
)
from planner.lab.server.desk import Asked, Desk
from planner.lab.server.forms import Form
from planner.lab.server.stream import events

MAX_BODY_BYTES = 10_000_000
B = TypeVar("B", bound=Body)


def create_app() -> Starlette:
    """The laboratory's models behind OpenAI's routes, and /v1/score; keys are not looked at."""
    engine = Engine()
    desk = Desk(engine)
    started = int(time.time())

    async def models(_: Request) -> Response:
        names = (*GENERATORS, VERIFIER)
        return JSONResponse(
            {
                "object": "list",
                "data": [{"id": n, "object": "model", "created": started, "owned_by": "planner"} for n in names],
            }
        )

    async def chat(request: Request) -> Response:
        body = await _read(request, ChatBody)
        return await _answer(desk, body, desk.chat(body), chat=True)

    async def text(request: Request) -> Response:
        body = await _read(request, TextBody)
        return await _answer(desk, body, desk.text(body), chat=False)

    async def score(request: Request) -> Response:
        return JSONResponse(await desk.score(await _read(request, ScoreBody)))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        engine.close()

    return Starlette(
        routes=[
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/completions", text, methods=["POST"]),
            Route("/v1/score", score, methods=["POST"]),
        ],
        exception_handlers={
            Refused: on_refused,
            PlannerError: on_rejected,
            HTTPException: on_http,
            Exception: on_unforeseen,
        },
        lifespan=lifespan,
    )


async def _answer(desk: Desk, body: ChatBody | TextBody, asked: Asked, *, chat: bool) -> Response:
    form = Form(desk.tokenizer, body.model, chat)
    if body.stream:
        pieces = events(desk, asked, form, with_usage=body.with_usage)
        return StreamingResponse(pieces, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    written, usage = await desk.write(asked)
    return JSONResponse(form.whole(written, usage))


async def _read(request: Request, kind: type[B]) -> B:
    """The body of a request. Raises Refused where it is too long or not what it should be."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise Refused(f"the body is longer than {MAX_BODY_BYTES} bytes", status=413)
    try:
        return kind.model_validate_json(bytes(raw))
    except ValidationError as error:
        raise refusal_of(error) from None
