from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from planner.artifacts import Manifest
from planner.service.context import Context, Shared
from planner.store import PolicyRow

router = APIRouter(prefix="/v1/policies", tags=["policies"])


class Policy(BaseModel):
    """A fitted policy; `summary` is its short held-out report, `reason` why its status is what it is."""

    policy_id: str
    status: str
    created_at: datetime
    promoted_at: datetime | None
    summary: dict[str, Any]
    reason: str | None


class Policies(BaseModel):
    """Every fitted policy, the newest first."""

    policies: list[Policy]


@router.get("", summary="Every fitted policy, the newest first.")
def every(context: Shared) -> Policies:
    """Candidates, the promoted one, and those that were."""
    return Policies(policies=[_shown(row) for row in context.planner.policies()])


@router.get("/{policy_id}", summary="What a policy is made of, with its held-out report.")
def show(policy_id: str, context: Shared) -> Manifest:
    """`promoted` names the one that is served."""
    return context.planner.manifest(None if policy_id == "promoted" else _known(context, policy_id))


@router.post("/{policy_id}/promote", summary="Serve this policy from now on.")
def promote(policy_id: str, context: Shared) -> Policy:
    """Its files are checked first; every worker serves it within seconds."""
    return _shown(context.planner.promote(_known(context, policy_id), reason="promoted over HTTP"))


@router.post("/rollback", summary="Serve the policy that was promoted before the present one.")
def roll_back(context: Shared) -> Policy:
    """409 where none was."""
    return _shown(context.planner.rollback())


def _known(context: Context, policy_id: str) -> str:
    if all(row.policy_id != policy_id for row in context.planner.policies()):
        raise HTTPException(404, f"there is no policy {policy_id!r}: GET /v1/policies names them")
    return policy_id


def _shown(row: PolicyRow) -> Policy:
    return Policy(
        policy_id=row.policy_id,
        status=row.status,
        created_at=row.created_at,
        promoted_at=row.promoted_at,
        summary=dict(row.summary),
        reason=row.reason,
    )
