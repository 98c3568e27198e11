"""Whether the planner is right in production: what was forecast beside what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from planner.core import Cost, Recommendation
from planner.service.context import Shared
from planner.service.logged_flops import with_flops

router = APIRouter(tags=["recommendations"])


class Realised(BaseModel):
    """What the run of a recommendation came to, FLOPs by the model cards of today; null is unknown."""

    run_id: str
    status: str
    correct: float | None
    cost: Cost


class Outcome(BaseModel):
    """A recommendation that was served, with the latest run that carried it out."""

    key: int
    created_at: datetime
    recommendation: Recommendation
    realised: Realised | None


class Outcomes(BaseModel):
    """The newest first; `next_before` goes on from here, null at the end."""

    outcomes: list[Outcome]
    next_before: int | None


@router.get("/v1/recommendations", summary="Recommendations that were served, with what became of them.")
def outcomes(
    context: Shared,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    carried_out: bool | None = None,  # noqa: FBT001 - a query parameter
) -> Outcomes:
    """Forecast and realised accuracy and cost side by side."""
    context.planner.flush()
    store = context.planner.store
    rows = with_flops(store, store.served(limit=limit, before=before, carried_out=carried_out))
    return Outcomes(
        outcomes=[
            Outcome(
                key=row.key,
                created_at=row.created_at,
                recommendation=row.recommendation,
                realised=None if row.realised is None else Realised(**row.realised._asdict()),
            )
            for row in rows
        ],
        next_before=rows[-1].key if len(rows) == limit else None,
    )
