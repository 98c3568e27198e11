"""The exchange rate of accuracy for cost that keeps an average over traffic, solved on a sample of logged prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from planner.core import Unit
from planner.curves.logs import Floats
from planner.policy.choose import Indices, Options, pick, worth
from planner.policy.restrict import Mask, raise_mean_too_low

STEPS = 40
TOLERANCE = 2e-3  # of the budget


@dataclass(frozen=True)
class Rate:
    """Accuracy that one unit of cost must buy.

    A share `share` of prompts, chosen by hash, goes by `low` (which spends more), the rest by `high`.
    """

    low: float
    high: float
    share: float


NO_PRICE = Rate(0.0, 0.0, 1.0)


def solve(options: Options, unit: Unit, value: float) -> Rate:
    """The rate at which the sample's mean cost is `value`.

    Raises InfeasibleBudget, naming the least that would do, where the cheapest arms cost more by more than the sample
    may be off; where they cost more by less, they are taken.
    """
    feasible = np.flatnonzero((options.allowed & np.isfinite(options.price)).any(axis=1))
    sample = options.take(feasible)

    def spend(rate: float) -> float:
        return float(sample.price[np.arange(len(feasible)), pick(sample, rate)].mean(dtype=np.float64))

    cheapest = np.where(sample.allowed, sample.price, np.inf).min(axis=1)
    least, error = float(cheapest.mean(dtype=np.float64)), float(cheapest.std() / np.sqrt(len(cheapest)))
    if least > value + 2 * error:
        raise_mean_too_low(unit, value, least)
    value = max(value, least * (1 + TOLERANCE))
    most = spend(0.0)
    if most <= value:
        return NO_PRICE
    low, high = 0.0, 1.0 / value
    spent_high = spend(high)
    while spent_high > value and high <= 1e12 / value:
        low, most, high = high, spent_high, high * 10
        spent_high = spend(high)
    for _ in range(STEPS):
        if most - spent_high <= TOLERANCE * value or high - low <= 1e-7 * high:
            break
        middle = np.sqrt(low * high) if low > 0 else high / 10
        spent = spend(middle)
        if spent > value:
            low, most = middle, spent
        else:
            high, spent_high = middle, spent
    return Rate(low, high, share_between(value, spent_high, most))


def share_between(value: float, least: float, most: float) -> float:
    """The share of what costs `most`, the rest costing `least`, at which both together cost `value`."""
    return float(np.clip((value - least) / (most - least), 0, 1)) if most > least else 1.0


class Vertices(NamedTuple):
    """(P,) arms at both vertices of a rate, and (P, A) what every arm is worth at the higher price."""

    low: Indices
    high: Indices
    worth: Floats


def vertices(options: Options, rate: Rate, settled: Mask) -> Vertices:
    """The arms that a rate mixes; `settled` prompts (P,) take that of most accuracy, whatever the rate."""
    value = worth(options, rate.high)
    high = pick(options, rate.high, value)
    if rate.high > 0 and np.count_nonzero(settled):
        high = np.where(settled, pick(options, 0.0), high)
    if rate.low == rate.high:
        return Vertices(high, high, value)
    return Vertices(np.where(settled, high, pick(options, rate.low)), high, value)


class Mixed(NamedTuple):
    """(P,) arms, the propensity of each, and whether it is that of `low`."""

    arm: Indices
    propensity: Floats
    is_low: Mask


def mixed(low: Indices, high: Indices, share: float, draws: Callable[[Indices], Floats]) -> Mixed:
    """The arms to take: `low` on a share of the prompts on which it differs from `high`, at random.

    `draws` gives numbers in 0..1 for the rows on which they differ.
    """
    propensity, is_low = np.ones(len(high), dtype=np.float32), np.zeros(len(high), dtype=bool)
    if low is high:
        return Mixed(high, propensity, is_low)
    (differ,) = (low != high).nonzero()
    if not len(differ):
        return Mixed(high, propensity, is_low)
    is_low[differ] = draws(differ) < share
    propensity[differ] = np.where(is_low[differ], share, 1 - share)
    return Mixed(np.where(is_low, low, high), propensity, is_low)
