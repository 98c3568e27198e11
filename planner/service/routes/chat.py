"""The gateway's routes, in OpenAI's form."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from planner.errors import InvalidInput, PlannerError, UnknownModel
from planner.service.context import Context, Shared
from planner.service.gateway.body import ChatBody
from planner.service.gateway.gateway import Gateway
from planner.service.gateway.naming import UnknownName
from planner.service.gateway.plain import PassedThrough
from planner.service.gateway.planned import Answering
from planner.service.gateway.request import Ask, read_request
from planner.service.gateway.response import ChatCompletion, plan_headers
from planner.service.gateway.sse import header_safe
from planner.service.json_route import JsonRoute
from planner.service.openai_errors import DOCUMENTED, openai_error

LOGGER = logging.getLogger("planner.service.gateway")
ROUTE = "/v1/chat/completions"
router = APIRouter(route_class=JsonRoute, tags=["gateway"], responses=DOCUMENTED)


class _Asgi(Response):
    """An ASGI application as what a route returns."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@router.post(
    ROUTE,
    response_model=None,
    responses={
        200: {
            "model": ChatCompletion,
            "description": "The answer; as events where `stream` is true.",
            "content": {"text/event-stream": {}},
        }
    },
    summary="Answer a chat completion's request: planned, carried out within its budget, and logged.",
)
async def complete(
    body: ChatBody, request: Request, context: Shared, x_its_budget: Annotated[str | None, Header()] = None
) -> Response:
    """OpenAI's chat completions, with `model` auto, auto-GENERATOR, or a model's name to pass the request through."""
    return await answer(body, await request.json(), x_its_budget, context)


async def answer(body: ChatBody, raw: Mapping[str, Any], its_budget: str | None, context: Context) -> Response:
    """The response to a request, whose body is given as JSON too. It may raise what it was not able to answer."""
    gateway = context.gateway
    plans = context.settings.service_mode == "apply"
    await gateway.open_if_configured()
    known = await gateway.names.known(body.model)
    try:
        ask = read_request(body, raw, its_budget, known, plans=plans)
    except UnknownName as error:
        return _no_such_model(error)
    context.check_length(len(ask.spoken))
    try:
        return _Asgi(await _answer(gateway, ask))
    except UnknownModel as error:
        if ask.named.generators:
            return _no_such_model(error)
        raise


async def _answer(gateway: Gateway, ask: Ask) -> ASGIApp:
    await gateway.running()
    mode = gateway.settings.service_mode
    if ask.named.model is not None:
        return PassedThrough(gateway, ask, ask.named.model, {"x-planner-mode": "plain"})
    if mode == "bypass":
        return PassedThrough(gateway, ask, await _unplanned(gateway, ask), {"x-planner-mode": mode})
    if mode == "observe":
        return await _observed(gateway, ask)
    if ask.untouched is not None:
        return await _untouched(gateway, ask)
    return Answering(gateway, ask, await gateway.budgets.plan(ask))


async def _unplanned(gateway: Gateway, ask: Ask) -> str:
    return ask.generators[0] if ask.generators else await gateway.names.default()


async def _observed(gateway: Gateway, ask: Ask) -> ASGIApp:
    """What would be done is recommended and logged; nothing that goes wrong with it reaches the client."""
    headers = {"x-planner-mode": "observe"}
    if ask.untouched is None:
        try:
            planned = await gateway.budgets.plan(ask)
            headers |= plan_headers(planned) | headers
        except PlannerError as error:
            LOGGER.warning("nothing could be recommended: %s", error)
    return PassedThrough(gateway, ask, await _unplanned(gateway, ask), headers)


async def _untouched(gateway: Gateway, ask: Ask) -> ASGIApp:
    """By the generator that a plan within the budget begins with; its search is not carried out."""
    headers = {"x-planner-mode": "plain", "x-planner-untouched": header_safe(ask.untouched or "")}
    model = ask.generators[0] if ask.generators else None
    if model is None and ask.spoken:
        model = (await gateway.budgets.plan(ask)).plan.arm.generator
    return PassedThrough(gateway, ask, model or await gateway.names.default(), headers)


def _no_such_model(error: InvalidInput) -> Response:
    return openai_error(404, str(error), param="model", code="model_not_found")
