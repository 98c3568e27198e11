"""A mean budget kept over what is carried out: the mean that is asked for is corrected until spending meets its target.

Forecasts of cost are never quite right, and live prompts are not the logged ones: the exchange rate solved for a mean
on logged prompts spends more or less than that mean on live ones. An integral controller of the logarithm corrects it:
each run moves it by `gain * (1 - cost / target)`, which leaves it unmoved where spending is right on average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from planner.core import Budget, Unit

LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
STEP = 0.02
"""Of the factor that is used, in its logarithm: each new value has its exchange rate to be solved."""
_SAME_STEP = 1e-9
"""Of a step: what is lost where a mean is worked out from its factor, and the factor from the mean, is far less."""
SLOWEST_GAIN, QUICKEST_GAIN = 0.002, 0.01
MOST_IN_FLIGHT_GAIN = 0.25
"""Gain times the runs that are under way: what is learned late must move little, or it swings."""
LARGEST_MOVE = 0.1
"""One run moves the logarithm by so much at most."""
REMEMBERED = 200
"""Runs over which the realised mean is shown, weights falling exponentially."""
History = Iterable[tuple[float, float | None]]
"""Of runs for one target: the mean that each was planned with, and what it cost, the oldest first."""


@dataclass
class MeanBudget:
    """One target, and the factor by which the mean is corrected that is asked of the policy.

    target: mean cost of a run, in `unit`.
    """

    unit: Unit
    target: float
    runs: int = 0
    _log_factor: float = 0.0
    _spent: float = 0.0
    _weight: float = 0.0

    @property
    def factor(self) -> float:
        """What the target is multiplied by, in steps, within `LEAST_FACTOR` and `MOST_FACTOR`."""
        return math.exp(round(self._log_factor / STEP) * STEP)

    @property
    def asked(self) -> float:
        """The mean that is to be asked of the policy."""
        return self.target * self.factor

    def of(self, budget: Budget) -> Budget:
        """The budget that is asked for, its mean corrected."""
        return with_mean(budget, self.unit, self.asked)

    @property
    def realised(self) -> float | None:
        """Mean cost of the latest runs; None before the first."""
        return self._spent / self._weight if self._weight else None

    def spent(self, cost: float, *, in_flight: int = 1) -> None:
        """A run is over that cost so much, while so many others are under way."""
        self._remember(cost)
        gain = max(SLOWEST_GAIN, min(QUICKEST_GAIN, 1.0 / (self.runs + 1)))
        gain = min(gain, MOST_IN_FLIGHT_GAIN / max(in_flight, 1))
        move = gain * (1.0 - cost / self.target)
        self._set(self._log_factor + max(-LARGEST_MOVE, min(LARGEST_MOVE, move)))

    @staticmethod
    def may_have_asked(target: float, asked: float) -> bool:
        """Whether a mean is the target, corrected: so many whole steps from it, within the bounds.

        Targets that somebody chose are as good as never whole steps apart, to so many digits: the mean of one is not
        taken for another's. Logs of other processes need not say for which target they were corrected.
        """
        if not LEAST_FACTOR * 0.99 <= asked / target <= MOST_FACTOR * 1.01:
            return False
        steps = math.log(asked / target) / STEP
        return abs(steps - round(steps)) < _SAME_STEP

    def begin_from(self, history: History) -> None:
        """Go on where earlier runs ended."""
        for asked, cost in history:
            self._set(math.log(asked / self.target))
            if cost is not None:
                self._remember(cost)

    def _remember(self, cost: float) -> None:
        self.runs += 1
        keep = 1.0 - 1.0 / REMEMBERED
        self._spent, self._weight = self._spent * keep + cost, self._weight * keep + 1.0

    def _set(self, log_factor: float) -> None:
        self._log_factor = max(math.log(LEAST_FACTOR), min(math.log(MOST_FACTOR), log_factor))


def with_mean(budget: Budget, unit: Unit, mean: float) -> Budget:
    """The budget with another mean in its unit."""
    # Not a copy: it would keep what the budget had worked out of its mean.
    return Budget(**{**budget.model_dump(exclude_none=True), f"mean_{unit}": mean})
