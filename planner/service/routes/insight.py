"""What the dashboard shows beside curves: how difficulty is foreseen, whether forecasts hold, and what is saved."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel

from planner.core import Unit
from planner.policy import Policy
from planner.service.by_bin import by_bin
from planner.service.context import Shared
from planner.store.outcomes import Served

router = APIRouter(tags=["curves"])
HISTOGRAM_BINS = 20
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Classes of forecast accuracy: most forecasts are high."""


class Share(BaseModel):
    """Share of the logged prompts whose believed pass rate lies within `low` and `high`."""

    low: float
    high: float
    share: float


class Believed(BaseModel):
    """Prompts whose text spoke for one bin: what was expected of a single sample of the reference, and what came."""

    bin: int
    expected: float
    observed: float


class DifficultyShown(BaseModel):
    """Difficulty of the logged prompts as believed from their texts, each by a predictor that had not seen it."""

    policy_id: str
    reference_generator: str
    histogram: list[Share]
    calibration: list[Believed]


class Held(BaseModel):
    """Carried-out recommendations by forecast accuracy: mean forecast, and share that was correct."""

    low: float
    high: float
    n: int
    forecast: float
    realised: float


class Production(BaseModel):
    """Whether the planner is right: over the latest recommendations that were carried out.

    n_graded of the n_runs have a grade. tokens: realised over forecast, None where unknown.
    drift: realised less forecast accuracy of those graded.
    """

    n_runs: int
    n_graded: int
    drift: float | None
    tokens: float | None
    classes: list[Held]


class Savings(BaseModel):
    """Expected cost of the latest carried-out plans beside that of best_of_n of the reference at equal accuracy.

    n_reached of the n plans: prompts on which best_of_n reaches the plan's forecast at all; only they are counted.
    """

    unit: str
    n: int
    n_reached: int
    planned: float
    best_of_n: float
    times: float | None


@router.get("/v1/difficulty", summary="How hard the logged prompts are believed to be, and how right that is.")
def difficulty(context: Shared) -> DifficultyShown:
    """From the promoted policy's stored sample of prompts."""
    policy = context.planner.policy
    rates = policy.sample.pass_rate
    counts, edges = np.histogram(rates, bins=HISTOGRAM_BINS, range=(0, 1))
    return DifficultyShown(
        policy_id=policy.policy_id,
        reference_generator=policy.predictor.reference_,
        histogram=[
            Share(low=low, high=high, share=n / len(rates))
            for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
        calibration=_calibration(policy),
    )


@router.get("/v1/production", summary="Forecast beside realised accuracy and cost of what was carried out.")
def production(context: Shared, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> Production:
    """Of the latest recommendations with a run."""
    context.planner.flush()
    return production_of(context.planner.store.served(limit=limit, carried_out=True))


@router.get("/v1/savings", summary="What plans cost beside best_of_n at equal accuracy.")
def savings(context: Shared, unit: Unit = "flops", limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> Savings:
    """Over the latest recommendations that were carried out, by the promoted policy's curves."""
    context.planner.flush()
    served = context.planner.store.served(limit=limit, carried_out=True)
    return _savings(context.planner.policy, served, unit)


def production_of(served: list[Served]) -> Production:
    """Forecasts against outcomes."""
    graded = [one for one in served if one.realised is not None and one.realised.correct is not None]
    forecast = np.array([one.recommendation.forecast.accuracy for one in graded])
    correct = np.array([one.realised.correct for one in graded if one.realised is not None], dtype=np.float64)
    spent = [
        (one.realised.cost.tokens, one.recommendation.forecast.cost.tokens)
        for one in served
        if one.realised is not None
    ]
    known = [(real, expected) for real, expected in spent if real is not None and expected]
    place = np.clip(np.searchsorted(EDGES, forecast, side="right") - 1, 0, len(EDGES) - 2)
    return Production(
        n_runs=len(served),
        n_graded=len(graded),
        drift=float((correct - forecast).mean()) if graded else None,
        tokens=sum(real for real, _ in known) / sum(expected for _, expected in known) if known else None,
        classes=[
            Held(
                low=EDGES[i],
                high=EDGES[i + 1],
                n=int((place == i).sum()),
                forecast=float(forecast[place == i].mean()),
                realised=float(correct[place == i].mean()),
            )
            for i in range(len(EDGES) - 1)
            if (place == i).any()
        ],
    )


def _calibration(policy: Policy) -> list[Believed]:
    """Of the arm that is one sample of the reference, by the bin that a prompt was believed to be of."""
    single = next((i for i in _samples_of_reference(policy) if policy.arms[i].breadth == 1), None)
    if single is None:
        return []
    believed = policy.sample.bins.argmax(axis=1)
    expected = policy.traffic.forecasts.accuracy[:, single]
    return [
        Believed(bin=b + 1, expected=expected[believed == b].mean(), observed=policy.logged_accuracy[1 + b, single])
        for b in range(policy.sample.bins.shape[1])
        if (believed == b).any() and np.isfinite(policy.logged_accuracy[1 + b, single])
    ]


def _samples_of_reference(policy: Policy) -> list[int]:
    """Places of the arms that draw samples of the reference and choose by best_of_n, one sample included."""
    return [
        place
        for place, arm in enumerate(policy.arms)
        if arm.generator == policy.predictor.reference_
        and arm.search == "sampling"
        and arm.depth == 1
        and (arm.selection == "best_of_n" or arm.breadth == 1)
    ]


def _savings(policy: Policy, served: list[Served], unit: Unit) -> Savings:
    n_bins = len(policy.traffic.bins)
    plans = [one.recommendation for one in served if len(one.recommendation.difficulty.bin_probabilities) == n_bins]
    costs = [plan.forecast.cost.in_unit(unit) for plan in plans]
    plans = [plan for plan, cost in zip(plans, costs, strict=True) if cost is not None]
    rivals = _samples_of_reference(policy)
    if not plans or not rivals:
        return Savings(unit=unit, n=len(plans), n_reached=0, planned=0, best_of_n=0, times=None)
    accuracy, _, cost = by_bin(policy, unit)
    posterior = np.array([plan.difficulty.bin_probabilities for plan in plans])
    theirs = posterior @ accuracy[1:, rivals]
    price = posterior @ cost[1:, rivals]
    reached = theirs >= np.array([plan.forecast.accuracy for plan in plans])[:, None]
    cheapest = np.where(reached, price, np.inf).min(axis=1)
    counted = np.isfinite(cheapest)
    planned = np.array([plan.forecast.cost.in_unit(unit) or 0.0 for plan in plans])[counted].sum()
    rival = cheapest[counted].sum()
    return Savings(
        unit=unit,
        n=len(plans),
        n_reached=int(counted.sum()),
        planned=float(planned),
        best_of_n=float(rival),
        times=float(rival / planned) if planned > 0 else None,
    )
