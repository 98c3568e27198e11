"""Plans on offer to traffic: which of them to follow, prompt by prompt, where an average is to be kept.

What a plan gives and costs depends on the prompt, and its text tells a little of that: a further sample is worth less
where the first is surely right, or surely not. Plans are told apart by one slope each over the foreseen pass rate,
which is all that a few hundred prompts can tell; one within two standard errors is taken for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import Unit
from planner.policy.adaptive.logistic import Doubles
from planner.policy.frontier import Mixture

FEWEST_FORESEEN = 50
N_QUANTILES = 41
SURE = 4.0
"""A slope's square, in squares of its standard error, that is needed for any of it to be believed."""
LEAST_COST = 0.3
"""Share of its mean cost that a plan is foreseen to cost at least."""
STEPS = 60


@dataclass(frozen=True)
class Tilt:
    """Slopes of J plans over the foreseen pass rate, in units of its spread.

    rates: (R,) pass rates foreseen for the training prompts, at even quantiles. accuracy: (J,), cost: by unit (J,).
    """

    rates: Doubles
    accuracy: Doubles
    cost: Mapping[Unit, Doubles]

    @classmethod
    def fit(cls, foreseen: NDArray[np.floating[Any]], grade: Doubles, cost: Mapping[Unit, Doubles]) -> Tilt | None:
        """From pass rates foreseen out of fold (P,), NaN where unknown, and grade and cost (P, J) of the plans.

        Accuracies are compared with that of the dearest plan. None where the text tells nothing.
        """
        known = np.isfinite(foreseen)
        if known.sum() < FEWEST_FORESEEN or np.ptp(foreseen[known]) < 1e-6:
            return None
        rates = np.quantile(foreseen[known].astype(np.float64), (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
        z = _standardised(foreseen[known], rates)
        dearest = int(next(iter(cost.values())).mean(axis=0).argmax())
        return cls(
            rates,
            _slopes(z, grade[known] - grade[known][:, [dearest]]),
            {unit: _slopes(z, values[known]) for unit, values in cost.items()},
        )

    def steps(self) -> Doubles:
        """(R,) the training prompts' standardised rates."""
        return _standardised(self.rates, self.rates)

    def step(self, foreseen: float | None) -> float:
        """A prompt's standardised rate, within the range of those that were learned from."""
        if foreseen is None or not np.isfinite(foreseen):
            return 0.0
        return float(_standardised(np.clip(foreseen, self.rates[0], self.rates[-1]), self.rates))


def _standardised(rate: Any, rates: Doubles) -> Doubles:  # noqa: ANN401 - a number or an array of them
    return np.asarray((rate - rates.mean()) / max(float(rates.std()), 1e-9), dtype=np.float64)


def _slopes(z: Doubles, values: Doubles) -> Doubles:
    """(J,) slope of each column of `values` (P, J), shrunk towards none by what its standard error makes doubtful."""
    z = z - z.mean()
    slope = z @ values / (z @ z)
    rest = values - values.mean(axis=0) - np.outer(z, slope)
    square = (rest**2).sum(axis=0) / max(len(z) - 2, 1) / (z @ z)
    shrunk = slope * np.maximum(0.0, 1 - SURE * square / np.maximum(slope**2, 1e-300))
    return np.asarray(np.where(slope == 0, 0.0, shrunk))


@dataclass(frozen=True)
class Offers:
    """J plans with their mean accuracy and cost, cheapest first, and what the text tells of them; (J,), slopes too."""

    places: tuple[int, ...]
    accuracy: Doubles
    cost: Doubles
    tilts: tuple[Doubles, Doubles] | None = None

    @classmethod
    def of(
        cls, places: Sequence[int], accuracy: Sequence[float], cost: Sequence[float],
        tilts: tuple[Doubles, Doubles] | None = None,
    ) -> Offers:  # fmt: skip
        """Plans (by place) with accuracy and cost; tilts: slopes of both."""
        order = np.lexsort((-np.asarray(accuracy), np.asarray(cost)))
        return cls(
            tuple(places[i] for i in order),
            np.asarray(accuracy, dtype=np.float64)[order],
            np.asarray(cost, dtype=np.float64)[order],
            None if tilts is None else (tilts[0][order], tilts[1][order]),
        )

    def terms(self, value: float, steps: Doubles, dearer: Sequence[tuple[float, int]] = ()) -> Terms | None:
        """How prompts at `steps` cost `value` on average; None where that is below the cheapest.

        dearer: cost and place of further plans, by rising cost, on which more than all this is spent.
        """
        if not self.places:
            return None
        accuracy, cost = self.at(steps)
        if cost.min(axis=1).mean() > value:
            return None
        rows = np.arange(len(cost))

        def spent(price: float) -> float:
            return float(cost[rows, (accuracy - price * cost).argmax(axis=1)].mean())

        most = spent(0.0)
        if most <= value:
            return Terms(self, 0.0, 0.0, _beyond(value, [(most, None), *(one for one in dearer if one[0] > most)]))
        low, high = 0.0, 10.0 / float(self.cost[self.cost > 0].min())
        while spent(high) > value:
            high *= 10
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if spent(middle) > value else (low, middle)
        most, least = spent(low), spent(high)
        return Terms(self, low, high, (None, None, (value - least) / (most - least)))

    def at(self, steps: Doubles) -> tuple[Doubles, Doubles]:
        """Accuracy and cost (R, J) at standardised rates (R,)."""
        if self.tilts is None:
            shape = (len(steps), len(self.places))
            return np.broadcast_to(self.accuracy, shape), np.broadcast_to(self.cost, shape)
        accuracy, cost = (np.outer(steps, tilt) for tilt in self.tilts)
        return self.accuracy + accuracy, np.maximum(self.cost + cost, LEAST_COST * self.cost)


@dataclass(frozen=True)
class Terms:
    """Prices of cost that keep an average over traffic, `low` just above it and `high` just below.

    mixed: places of the lower and the upper plan where they are the same for all prompts (None where the prices say),
    and the share of the upper.
    """

    offers: Offers
    low: float
    high: float
    mixed: tuple[int | None, int | None, float]

    def at(self, step: float) -> Mixture:
        """What to follow at a standardised rate."""
        accuracy, cost = self.offers.at(np.array([step]))

        def followed(price: float) -> int:
            return self.offers.places[int((accuracy[0] - price * cost[0]).argmax())]

        lower, upper, share = self.mixed
        return Mixture(
            followed(self.high) if lower is None else lower, followed(self.low) if upper is None else upper, share
        )


def _beyond(value: float, plans: Sequence[tuple[float, int | None]]) -> tuple[int | None, int | None, float]:
    """The two of these plans, cost and place by rising cost, between whose costs a value lies; else the last."""
    costs = [cost for cost, _ in plans]
    upper = int(np.searchsorted(costs, value, side="right"))
    if upper == len(plans):
        return plans[-1][1], plans[-1][1], 1.0
    share = (value - costs[upper - 1]) / (costs[upper] - costs[upper - 1])
    return plans[upper - 1][1], plans[upper][1], share
