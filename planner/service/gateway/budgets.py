"""What a request may cost: its own budget, else the server's; averages are kept over the traffic of this process."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool

from planner.api import Planner
from planner.api.mean_budget import STEP, MeanBudget, with_mean
from planner.config import Settings
from planner.core import Arm, Budget, Cost, Recommendation, Unit
from planner.errors import InfeasibleBudget
from planner.policy import Policy, Restriction
from planner.policy.restrict import price_unit
from planner.service.gateway.request import Ask
from planner.service.gateway.server_budget import server_budget
from planner.service.gateway.traffic import Traffic
from planner.service.logged_flops import with_flops
from planner.service.metrics import Metrics
from planner.service.together import Together

DEFAULT_SAMPLES = 4
"""Where nothing says otherwise, an answer costs on average what so many samples of one generator cost."""
MOST_SOLVED = 1000
SEEN_RUNS = 200


@dataclass(frozen=True)
class Planned:
    """A plan, the budget that was asked for, and the one that it was planned with: its mean is corrected."""

    plan: Recommendation
    asked: Budget | None
    used: Budget | None
    mean: MeanBudget | None


class Budgets:
    """Plans within budgets, and keeps their averages."""

    def __init__(self, settings: Settings, planner: Planner, metrics: Metrics) -> None:
        """Raises InvalidInput where the settings' budget is none."""
        self._planner, self._metrics = planner, metrics
        self._together = Together(planner)
        self._traffic = Traffic()
        self._solved: OrderedDict[object, None] = OrderedDict()
        self._defaults: dict[object, Budget] = {}
        self._of_settings = server_budget(settings)

    async def plan(self, ask: Ask) -> Planned:
        """Recommend for a request. Raises what `Planner.recommend` raises."""
        policy = self._planner.policy
        asked = self._budget(ask, policy)
        mean = await self._mean(asked)
        for used in _corrected(asked, mean):
            try:
                plan = await self._recommend(ask, used, policy.policy_id)
            except InfeasibleBudget:
                if used == asked:
                    raise
            else:
                self._metrics.recommended([plan])
                self._metrics.serving(plan.policy_id)
                return Planned(plan, asked, used, mean)
        raise AssertionError("the budget as it was asked for is tried last")

    def over(self, planned: Planned, cost: Cost, *, in_flight: int) -> None:
        """A run is over: its ceilings are looked at, and its mean is corrected."""
        self._metrics.spent(cost)
        if planned.asked is not None:
            for unit, ceiling in planned.asked.ceilings.items():
                spent = cost.in_unit(unit)
                if spent is not None and spent > ceiling:
                    self._metrics.missed(unit)
        if planned.mean is not None:
            spent = cost.in_unit(planned.mean.unit)
            if spent is not None:
                planned.mean.spent(spent, in_flight=in_flight)
            self._show(planned.mean)

    def _budget(self, ask: Ask, policy: Policy) -> Budget | None:
        if ask.budget is not None:
            return ask.budget
        if self._of_settings is not None:
            return self._of_settings
        if ask.target_accuracy is not None or ask.arm is not None:
            return None
        restriction = Restriction(ask.generators, ask.searches, ask.selections)
        key = (policy.policy_id, restriction)
        if key not in self._defaults:
            if len(self._defaults) >= MOST_SOLVED:
                self._defaults.clear()
            self._defaults[key] = default_budget(policy, restriction)
        return self._defaults[key]

    async def _mean(self, budget: Budget | None) -> MeanBudget | None:
        if budget is None or budget.mean is None:
            return None
        known = self._traffic.known(*budget.mean)
        if known is not None:
            return known
        history = await run_in_threadpool(self._history, *budget.mean)
        return self._traffic.begin(*budget.mean, history)

    def _history(self, unit: Unit, target: float) -> list[tuple[float, float | None]]:
        """Means that the latest runs for this target were planned with, and their costs, the oldest first."""
        served = self._planner.store.served(limit=SEEN_RUNS, carried_out=True)
        if unit == "flops":
            served = with_flops(self._planner.store, served)
        found = []
        for one in reversed(served):
            budget = one.recommendation.budget
            if budget is None or budget.mean is None or one.realised is None or budget.mean[0] != unit:
                continue
            asked = budget.mean[1]
            if MeanBudget.may_have_asked(target, asked):
                found.append((asked, one.realised.cost.in_unit(unit)))
        return found

    async def _recommend(self, ask: Ask, budget: Budget | None, policy_id: str) -> Recommendation:
        prompt: dict[str, Any] = {
            "prompt": ask.spoken or ask.raw["messages"],
            "prompt_id": ask.prompt_id,
            "dataset": ask.dataset,
            "metadata": ask.metadata,
        }
        options: dict[str, Any] = {
            "budget": budget,
            "target_accuracy": ask.target_accuracy,
            "arm": ask.arm,
            "generators": ask.generators,
            "searches": ask.searches,
            "selections": ask.selections,
        }
        key = (policy_id, budget, ask.generators, ask.searches, ask.selections)
        if key not in self._solved:
            # An exchange rate that is not known yet takes long to be solved: the other requests shall not wait for it.
            plan = await run_in_threadpool(partial(self._planner.recommend, **prompt, **options))
        else:
            plan = await self._together.recommend(prompt, options)
        self._solved[key] = None
        self._solved.move_to_end(key)
        if len(self._solved) > MOST_SOLVED:
            self._solved.popitem(last=False)
        return plan

    def _show(self, mean: MeanBudget) -> None:
        self._metrics.value(f"mean_{mean.unit}_target", mean.target)
        self._metrics.value(f"mean_{mean.unit}_factor", mean.factor)
        if mean.realised is not None:
            self._metrics.value(f"mean_{mean.unit}_realised", mean.realised)


def default_budget(policy: Policy, restriction: Restriction) -> Budget:
    """An average of what `DEFAULT_SAMPLES` single samples cost: of the one generator named, else of the reference.

    In USD where model cards give prices, else in FLOPs, else in tokens. Where the arms that are asked for cost more,
    it is the cost of the cheapest of them.
    """
    forecasts = policy.traffic.forecasts
    unit = price_unit(None, forecasts)
    cost = forecasts.cost(unit).mean(axis=0)
    known = np.isfinite(cost) & (cost > 0)
    allowed = policy.mask(restriction) & known
    if not allowed.any():
        raise InfeasibleBudget("no arm's cost is known: give a budget in generations, or complete the model cards")
    wanted = restriction.generators or (policy.predictor.reference_,)
    singles = [i for i, arm in enumerate(policy.arms) if known[i] and _is_single(arm) and arm.generator in wanted]
    least = 1.01 * float(cost[allowed].min())
    usual = DEFAULT_SAMPLES * float(cost[singles].min()) if singles else 0.0
    return Budget(**{f"mean_{unit}": float(f"{max(least, usual):.3g}")})


def _is_single(arm: Arm) -> bool:
    return arm.search == "sampling" and arm.breadth == arm.depth == 1


def _corrected(asked: Budget | None, mean: MeanBudget | None) -> list[Budget | None]:
    """Budgets to be tried: with the corrected mean, then nearer and nearer to the one that was asked for.

    A mean that was lowered may be less than even the cheapest arms need.
    """
    if asked is None or mean is None or mean.factor == 1:
        return [asked]
    tried: list[Budget | None] = []
    log_factor = math.log(mean.factor)
    while abs(log_factor) > STEP / 2:
        tried.append(with_mean(asked, mean.unit, mean.target * math.exp(log_factor)))
        if log_factor > 0:
            break
        log_factor = round(log_factor / 2 / STEP) * STEP
    return [*tried, asked]
