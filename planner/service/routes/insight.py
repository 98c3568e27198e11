"""What the dashboard shows beside curves: how difficulty is foreseen, whether forecasts hold, and what is saved."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel

from planner.budget.forecasts import Z_90
from planner.core import Unit
from planner.policy import Policy
from planner.policy.answer import GIVEN
from planner.policy.candidates import group_shares
from planner.service.by_bin import by_bin
from planner.service.context import Shared
from planner.store.outcomes import Served

router = APIRouter(tags=["curves"])
Doubles = NDArray[np.float64]
HISTOGRAM_BINS = 20
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Classes of forecast accuracy: most forecasts are high."""
LEAST_PROMPTS = 1.0
"""So many have to be believed to be of a bin, all shares of belief together, that something is said of it."""


class Share(BaseModel):
    """Share of the logged prompts whose believed pass rate lies within `low` and `high`."""

    low: float
    high: float
    share: float


class Believed(BaseModel):
    """Prompts by how far their text spoke for a bin: what was expected of a sample of the reference, and what came."""

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
    """Carried-out recommendations by forecast accuracy: mean forecast, share that was correct with 90% interval."""

    low: float
    high: float
    n: int
    forecast: float
    realised: float
    realised_low: float
    realised_high: float


class Production(BaseModel):
    """Whether the planner is right: over the latest recommendations that were carried out.

    n_graded of the n_runs have a grade. tokens: realised over forecast, None where unknown.
    drift: realised less forecast accuracy of those graded, with its 90% interval.
    """

    n_runs: int
    n_graded: int
    drift: float | None
    drift_low: float | None
    drift_high: float | None
    tokens: float | None
    classes: list[Held]


class Savings(BaseModel):
    """Expected cost of the latest carried-out plans beside that of best_of_n of the reference at equal accuracy.

    n_plans chose their arm themselves: one that the caller named is no plan of ours. n of them have a known cost.
    n_reached of the n: prompts on which best_of_n reaches the plan's forecast at all; only they are counted.
    """

    unit: str
    n_plans: int
    n: int
    n_reached: int
    planned: float
    best_of_n: float
    times: float | None


@router.get("/v1/difficulty", summary="How hard the logged prompts are believed to be, and how right that is.")
def difficulty(context: Shared) -> DifficultyShown:
    """From the promoted policy's stored sample of prompts."""
    policy = context.planner.policy
    rates = policy.sample.pass_rate.astype(np.float64)  # else the edges are not whole twentieths
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
    forecast = np.array([one.recommendation.forecast.accuracy for one in graded], dtype=np.float64)
    correct = np.array([one.realised.correct for one in graded if one.realised is not None], dtype=np.float64)
    spent = [
        (one.realised.cost.tokens, one.recommendation.forecast.cost.tokens)
        for one in served
        if one.realised is not None
    ]
    known = [(real, expected) for real, expected in spent if real is not None and expected]
    place = np.clip(np.searchsorted(EDGES, forecast, side="right") - 1, 0, len(EDGES) - 2)
    drift = float((correct - forecast).mean()) if graded else None
    within = _half_interval(forecast, correct)
    return Production(
        n_runs=len(served),
        n_graded=len(graded),
        drift=drift,
        drift_low=None if drift is None else max(drift - within, -1),
        drift_high=None if drift is None else min(drift + within, 1),
        tokens=sum(real for real, _ in known) / sum(expected for _, expected in known) if known else None,
        classes=[_held(i, forecast[place == i], correct[place == i]) for i in np.unique(place).tolist()],
    )


def _held(place: int, forecast: Doubles, correct: Doubles) -> Held:
    realised, within = float(correct.mean()), _half_interval(forecast, correct)
    return Held(
        low=EDGES[place],
        high=EDGES[place + 1],
        n=len(correct),
        forecast=float(forecast.mean()),
        realised=realised,
        realised_low=max(realised - within, 0),
        realised_high=min(realised + within, 1),
    )


def _half_interval(forecast: Doubles, correct: Doubles) -> float:
    """Half of the 90% interval of mean outcomes (n,): by the variance that forecasts mean, or by a larger one seen.

    Of a few runs that all went well none is seen, and they say little all the same.
    """
    variance = max((forecast * (1 - forecast)).sum(), np.square(correct - forecast).sum())
    return float(Z_90 * np.sqrt(variance)) / max(len(forecast), 1)


def _calibration(policy: Policy) -> list[Believed]:
    """Of the arm that is one sample of the reference; each prompt counts in a bin by its share of belief in it.

    So what came is weighted, too: prompts that are sorted into their likeliest bins would look too surely foreseen.
    """
    single = next((i for i in _samples_of_reference(policy) if policy.arms[i].breadth == 1), None)
    if single is None:
        return []
    bins = policy.sample.bins
    expected = group_shares(bins) @ policy.traffic.forecasts.accuracy[:, single]
    observed = policy.logged_accuracy[:, single]
    return [
        Believed(bin=b, expected=expected[b], observed=observed[b])
        for b, n_prompts in enumerate(bins.sum(axis=0), 1)
        if n_prompts >= LEAST_PROMPTS and np.isfinite(observed[b])
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
    chosen = [one.recommendation for one in served if not one.recommendation.reason.startswith(GIVEN)]
    plans = [plan for plan in chosen if len(plan.difficulty.bin_probabilities) == n_bins]
    costs = [plan.forecast.cost.in_unit(unit) for plan in plans]
    plans = [plan for plan, cost in zip(plans, costs, strict=True) if cost is not None]
    rivals = _samples_of_reference(policy)
    if not plans or not rivals:
        return Savings(unit=unit, n_plans=len(chosen), n=len(plans), n_reached=0, planned=0, best_of_n=0, times=None)
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
        n_plans=len(chosen),
        n=len(plans),
        n_reached=int(counted.sum()),
        planned=float(planned),
        best_of_n=float(rival),
        times=float(rival / planned) if planned > 0 else None,
    )
