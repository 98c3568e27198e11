"""Traffic like the logged prompts: what it costs on average, and the exchange rates by which an average is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from planner.budget import BudgetModel, Forecasts
from planner.core import Budget, ModelCard, Unit
from planner.curves.logs import Floats
from planner.policy.candidates import hull_arms
from planner.policy.choose import Options, cautious
from planner.policy.exchange import Rate, solve
from planner.policy.noise import PairedNoise
from planner.policy.restrict import Mask, Restriction, fitting, unknown_cost

if TYPE_CHECKING:
    from planner.difficulty import Belief

MOST_CACHED = 256


@dataclass(frozen=True)
class LoggedTraffic:
    """A sample of the logged prompts, and what was solved on it, kept at hand.

    sample, logged_accuracy: as of `Policy`.
    """

    budget_model: BudgetModel
    sample: Belief
    logged_accuracy: Floats
    noise: PairedNoise
    models: Mapping[str, ModelCard]
    _rates: dict[object, Rate] = field(default_factory=dict, repr=False, compare=False)
    _near: dict[object, Mask] = field(default_factory=dict, repr=False, compare=False)
    _costs: dict[Unit, Floats] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def forecasts(self) -> Forecasts:
        """Forecasts for the sample."""
        return self.budget_model.forecast(self.sample)

    @cached_property
    def bins(self) -> Floats:
        """(B,) mean posterior of the sample."""
        return np.asarray(self.sample.bins.mean(axis=0), dtype=np.float32)

    @cached_property
    def accuracy(self) -> Floats:
        """(A,) expected accuracy over all logged prompts."""
        return np.asarray(self.forecasts.accuracy.mean(axis=0), dtype=np.float32)

    def cost(self, unit: Unit) -> Floats:
        """(A,) expected cost over all logged prompts."""
        if unit not in self._costs:
            self._costs[unit] = self.forecasts.cost(unit).mean(axis=0)
        return self._costs[unit]

    def rate(self, budget: Budget, restriction: Restriction) -> Rate:
        """The exchange rate that keeps the budget's average; ceilings that no logged prompt fits are left to a prompt.

        Raises InfeasibleBudget where no choice keeps it, or no cost in its unit is known.
        """
        key = (budget, restriction)
        rate = self._rates.get(key)
        if rate is None:
            assert budget.mean is not None
            unit, value = budget.mean
            mask = restriction.mask(self.forecasts.arms)
            allowed = fitting(self.forecasts, mask, budget.ceilings)
            options = Options.of(self.forecasts, self.sample.bins, allowed, unit, self.noise)
            if not np.isfinite(options.price[:, mask]).any():
                raise unknown_cost(self.forecasts.arms, mask, unit, self.models)
            if not options.allowed.any() and budget.ceilings:
                # A prompt that is to be answered may still fit them; one that does not is told its own least.
                return self.rate(Budget(**{f"mean_{unit}": value}), restriction)
            near = self.on_hull(options.allowed & np.isfinite(options.price), budget, restriction)
            options = cautious(options.only(near), self.accuracy, self.sample.source)
            if len(self._rates) > MOST_CACHED:
                self._rates.clear()
            rate = self._rates[key] = solve(options, unit, value)
        return rate

    def on_hull(self, allowed: Mask, budget: Budget, restriction: Restriction) -> Mask:
        """Of the allowed arms those on a hull of cost and logged accuracy, where a prompt has any of them."""
        near = allowed & self.hull(budget, restriction)
        any_near = np.asarray(near.any(axis=1))
        return near if np.count_nonzero(any_near) == len(near) else np.where(any_near[:, None], near, allowed)

    def hull(self, budget: Budget, restriction: Restriction) -> Mask:
        """(A,) arms on a hull of cost and logged accuracy, of those that fit the ceilings as a rule."""
        assert budget.mean is not None
        unit = budget.mean[0]
        key = (unit, tuple(budget.ceilings.items()), restriction)
        on_hull = self._near.get(key)
        if on_hull is None:
            if len(self._near) > MOST_CACHED:
                self._near.clear()
            mask = restriction.mask(self.forecasts.arms)
            on_hull = hull_arms(self.forecasts, self.sample.bins, self.logged_accuracy, mask, unit, budget.ceilings)
            self._near[key] = on_hull
        return on_hull
