from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from planner.errors import PlannerError
from planner.service.context import Shared

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether recommendations can be served: store reachable, schema current, policy loaded."""

    ready: bool
    store: str
    policy: str


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Whether the process lives.")
async def healthz() -> Health:
    """No store is asked."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Whether it can serve.", responses={503: {"model": Readiness}})
def readyz(context: Shared) -> Response:
    """503, with what is missing, until it can."""
    found = {"store": "ok", "policy": "none"}
    ready = True
    try:
        context.planner.store.ping()
    except PlannerError as error:
        found["store"], ready = type(error).__name__, False
    try:
        found["policy"] = context.planner.policy.policy_id
    except PlannerError as error:
        found["policy"], ready = type(error).__name__, False
    shown = Readiness(ready=ready, **found)
    return JSONResponse(shown.model_dump(), status_code=200 if ready else 503)


@router.get("/metrics", summary="Figures for Prometheus.", response_class=Response)
def metrics(context: Shared) -> Response:
    """In Prometheus' text form."""
    return Response(context.metrics.page(), headers={"Content-Type": context.metrics.content_type})
