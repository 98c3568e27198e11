"""What the promoted policy expects of every arm, by bin of difficulty: accuracy with interval, against cost."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel

from planner.budget.forecasts import Z_90
from planner.core import Arm, Unit
from planner.errors import InvalidInput
from planner.service.by_bin import by_bin
from planner.service.context import Shared

router = APIRouter(tags=["curves"])


class Point(BaseModel):
    """One arm on prompts of one bin: accuracy with its 90% interval, expected cost in the unit asked for."""

    arm: int
    bin: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    cost: float | None


class Curves(BaseModel):
    """Points of every arm and bin; bin 0 is all logged prompts together, bin 1 the easiest."""

    policy_id: str
    unit: str
    reference_generator: str
    bin_shares: list[float]
    arms: list[Arm]
    labels: list[str]
    points: list[Point]


@router.get("/v1/curves", summary="Accuracy against cost of every arm, by bin of difficulty.")
def curves(
    context: Shared,
    unit: Unit = "flops",
    bin: Annotated[int | None, Query(ge=0, description="One bin; 0 is all of them together.")] = None,  # noqa: A002
    generator: Annotated[str | None, Query(max_length=1000)] = None,
) -> Curves:
    """Pooled curves, as recommendations are made from them."""
    policy = context.planner.policy
    model = policy.budget_model
    n_bins = len(model.accuracy_)
    if bin is not None and bin > n_bins:
        raise InvalidInput(f"there is no bin {bin}: there are 1 (the easiest) to {n_bins}, and 0 for all together")
    kept = [place for place, arm in enumerate(policy.arms) if generator is None or generator in arm.generators]
    if not kept:
        raise InvalidInput(f"no fitted arm has the generator {generator!r}")
    accuracy, error, cost = by_bin(policy, unit)
    shown = range(n_bins + 1) if bin is None else (bin,)
    points = [
        Point(
            arm=place,
            bin=b,
            accuracy=accuracy[b, arm],
            accuracy_low=max(accuracy[b, arm] - Z_90 * error[b, arm], 0),
            accuracy_high=min(accuracy[b, arm] + Z_90 * error[b, arm], 1),
            cost=cost[b, arm] if np.isfinite(cost[b, arm]) else None,
        )
        for b in shown
        for place, arm in enumerate(kept)
    ]
    arms = [policy.arms[arm] for arm in kept]
    return Curves(
        policy_id=policy.policy_id,
        unit=unit,
        reference_generator=policy.predictor.reference_,
        bin_shares=policy.traffic.bins.tolist(),
        arms=arms,
        labels=[arm.label for arm in arms],
        points=points,
    )
