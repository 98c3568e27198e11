from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from planner.artifacts import FitSettings
from planner.artifacts.turn import fitting_now
from planner.service.context import Context, Shared
from planner.service.json_route import JsonRoute
from planner.service.schemas import FitBody
from planner.store import FitRow

router = APIRouter(prefix="/v1/fits", route_class=JsonRoute, tags=["fits"])


class Fit(BaseModel):
    """A fit: `running` (share of it done, and what it does), `done` (it made `policy_id`) or `failed` (`error`)."""

    fit_id: str
    status: Literal["running", "done", "failed"]
    started_at: datetime
    finished_at: datetime | None
    settings: dict[str, Any]
    share: float | None = None
    stage: str | None = None
    policy_id: str | None
    promoted: bool | None = None
    reason: str | None = None
    error: str | None


class Fits(BaseModel):
    """All fits, the newest first."""

    fits: list[Fit]


@router.post("", status_code=202, summary="Fit a policy from the logs, in the background.")
def start(body: FitBody, context: Shared, response: Response) -> Fit:
    """One at a time: 409 while another is running. It is promoted if it is not worse than the one that is served."""
    fit_id = context.fits.start(
        FitSettings(
            seed=body.seed,
            since=None if body.since is None else body.since.isoformat(),
            datasets=tuple(body.datasets),
            exclude_datasets=tuple(body.exclude_datasets),
            exclude_generators=tuple(body.exclude_generators),
            reference=body.reference,
            metadata_features=tuple(body.metadata_features),
        )
    )
    response.headers["Location"] = f"/v1/fits/{fit_id}"
    return show(fit_id, context)


@router.get("", summary="All fits, the newest first.")
def every(context: Shared) -> Fits:
    """With how far the one that is running has come."""
    return Fits(fits=[_shown(context, row) for row in context.fits.rows()])


@router.get("/{fit_id}", summary="How far a fit has come, or how it ended.")
def show(fit_id: str, context: Shared) -> Fit:
    """404 for an id that is not known."""
    found = next((row for row in context.fits.rows() if row.fit_id == fit_id), None)
    if found is None:
        raise HTTPException(404, f"there is no fit {fit_id!r}: GET /v1/fits names them")
    return _shown(context, found)


def _shown(context: Context, row: FitRow) -> Fit:
    shown = Fit(**row._asdict())
    if row.status == "running":
        now = fitting_now(context.planner.artifacts.root) or {}
        if now.get("fit_id") == row.fit_id:
            shown = shown.model_copy(update={"share": now["share"], "stage": now["stage"]})
    if row.policy_id is not None:
        policy = next((one for one in context.planner.policies() if one.policy_id == row.policy_id), None)
        if policy is not None:
            shown = shown.model_copy(update={"promoted": policy.status == "promoted", "reason": policy.reason})
    return shown
