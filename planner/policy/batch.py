"""One total budget over a batch of prompts, given where it pays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.core import Unit
from planner.errors import InfeasibleBudget
from planner.policy.choose import Indices, Options, pick
from planner.policy.restrict import SLACK, rounded_up

STEPS = 60
Doubles = NDArray[np.float64]


def allocate(options: Options, unit: Unit, total: float) -> Indices:
    """(P,) arms whose expected costs together stay within `total` and end within one action's cost of it.

    One exchange rate for all, found by bisection (spend falls as the rate rises); what is left goes to the prompts
    that gain most for it. Every row must allow an arm of known cost. Raises InfeasibleBudget, naming the least total.
    """
    price = np.where(options.allowed, options.price, np.inf).astype(np.float64)
    rows = np.arange(len(price))
    cheapest = price.argmin(axis=1)
    least = float(price[rows, cheapest].sum())
    if least > total * SLACK:
        raise InfeasibleBudget(
            f"the batch cannot be answered for {total:.4g} {unit} in total; the least is {rounded_up(least):.4g} {unit}"
        )

    def spend(arms: Indices) -> float:
        return float(price[rows, arms].sum())

    generous = pick(options, 0.0)
    if spend(generous) <= total:
        return generous
    thrifty, low, high = cheapest, 0.0, 1.0 / max(total / len(price), 1e-300)
    while spend(arms := pick(options, high)) > total and high < 1e15 / total:
        low, generous, high = high, arms, high * 10
    if spend(arms) <= total:
        thrifty = arms
    for _ in range(STEPS):
        if (thrifty == generous).all() or high - low <= 1e-9 * high:
            break
        middle = np.sqrt(low * high) if low > 0 else high / 10
        arms = pick(options, middle)
        if spend(arms) > total:
            low, generous = middle, arms
        else:
            high, thrifty = middle, arms
    return _fill(options, price, _upgrade(options, price, thrifty, generous, total), total)


def _upgrade(options: Options, price: Doubles, thrifty: Indices, generous: Indices, total: float) -> Indices:
    """Move prompts from their thrifty to their generous arm, the best gain for its cost first, while it fits."""
    arm = thrifty.copy()
    rows = np.arange(len(arm))
    extra = price[rows, generous] - price[rows, thrifty]
    gain = options.accuracy[rows, generous] - options.accuracy[rows, thrifty]
    left = total - float(price[rows, thrifty].sum())
    candidates = np.flatnonzero((extra > 0) & (gain > 0))
    for row in candidates[np.argsort(-gain[candidates] / extra[candidates], kind="stable")]:
        if extra[row] <= left:
            arm[row] = generous[row]
            left -= extra[row]
    return arm


def _fill(options: Options, price: Doubles, arm: Indices, total: float) -> Indices:
    """Spend what is left on the prompts that gain most for it, each on the best arm that still fits."""
    arm = arm.copy()
    rows = np.arange(len(arm))
    current = price[rows, arm]
    left = total - float(current.sum())
    extra = price - current[:, None]
    gain = options.accuracy - options.accuracy[rows, arm][:, None]
    useful = (extra > 0) & (extra <= left) & (gain > 0) & options.allowed
    ratio = np.where(useful, gain / np.where(useful, extra, 1), -np.inf)
    best = ratio.argmax(axis=1)
    for row in np.argsort(-ratio[rows, best], kind="stable"):
        if not np.isfinite(ratio[row, best[row]]):
            break
        if extra[row, best[row]] <= left:
            arm[row] = best[row]
            left -= extra[row, best[row]]
    return arm
