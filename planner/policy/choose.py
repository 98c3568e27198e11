"""The choice of an arm for every prompt, from forecasts alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import BUILT
from planner.curves.logs import Floats
from planner.difficulty.belief import SOURCES
from planner.policy.noise import PairedNoise
from planner.policy.restrict import SLACK, Mask

if BUILT:
    from planner.compiled import choosing
if TYPE_CHECKING:
    from planner.budget import Forecasts
    from planner.core import Unit

Indices = NDArray[np.intp]

TEXT_SHARE = np.float32(0.85)
"""Settled on folds of the lab's logs, where all shares from .7 to .95 are better than 1, and on simulated worlds."""
_OWN_SHARE = np.array([TEXT_SHARE if source == "text" else 1 for source in SOURCES], dtype=np.float32)
_NEVER = np.float32(-np.inf)
_MOST = np.finfo(np.float32).max


class Options(NamedTuple):
    """What P prompts may choose from A arms.

    accuracy, stderr, price: (P, A); a price that is unknown is inf. allowed: (P, A). bins: (P, B).
    """

    accuracy: Floats
    stderr: Floats
    price: Floats
    allowed: Mask
    bins: Floats
    noise: PairedNoise

    @classmethod
    def of(cls, forecasts: Forecasts, bins: Floats, allowed: Mask, unit: Unit, noise: PairedNoise) -> Options:
        """The allowed arms of forecast prompts, priced in `unit`."""
        price = forecasts.cost(unit)
        unknown = np.isnan(price)
        if np.count_nonzero(unknown):
            price = np.where(unknown, np.float32(np.inf), price)
        return cls(forecasts.accuracy, forecasts.stderr, price, allowed, bins, noise)

    def take(self, rows: Indices) -> Options:
        """The options of the prompts at `rows`."""
        return Options(
            self.accuracy[rows], self.stderr[rows], self.price[rows], self.allowed[rows], self.bins[rows], self.noise
        )

    def only(self, allowed: Mask) -> Options:
        """The same options with other arms allowed, (P, A)."""
        return Options(self.accuracy, self.stderr, self.price, allowed, self.bins, self.noise)


def defaulted(options: Options, declined: Mask, allowed: Mask, accuracy: Floats, bins: Floats) -> Options:
    """Options in which `declined` prompts (P,) are taken for any: accuracy (A,) and bins (B,) of all prompts."""
    rows = declined[:, None]
    return options._replace(
        accuracy=np.where(rows, accuracy, options.accuracy),
        bins=np.where(rows, bins, options.bins),
        allowed=allowed,
    )


def cautious(options: Options, accuracy: Floats, source: NDArray[np.int8]) -> Options:
    """Options to choose by: those from text alone are drawn towards `accuracy` (A,) of any prompt.

    source: (P,) what each prompt's options rest on, as in `Belief`.

    Where text is sure that a prompt is easy it is wrong more often than it says, and the arms that save most there are
    those that cannot mend it.
    """
    share = own_share(source)[:, None]
    drawn = accuracy + share * (options.accuracy - accuracy)
    return Options(drawn, options.stderr, options.price, options.allowed, options.bins, options.noise)


def own_share(source: NDArray[np.int8]) -> Floats:
    """(P,) what is kept of forecasts that rest on such sources; see `cautious`."""
    return _OWN_SHARE.take(source)


def worth(options: Options, price_of_cost: float) -> Floats:
    """(P, A) accuracy less `price_of_cost` x cost, -inf where an arm is not allowed."""
    value = options.accuracy
    if price_of_cost:
        value = value - np.float32(price_of_cost) * options.price
    return np.where(options.allowed, value, _NEVER)


def leading(value: Floats, n: int) -> list[list[int]]:
    """For each row of worth (P, A) the `n` arms of most, the best first, of equal ones the later; none worth -inf."""
    if BUILT:
        return choosing.leading(value, n)
    top = value.argsort(axis=1, kind="stable")[:, : -n - 1 : -1]
    return [[arm for arm in arms if row[arm] > _NEVER] for arms, row in zip(top.tolist(), value, strict=True)]


def pick(options: Options, price_of_cost: float = 0.0, value: Floats | None = None) -> Indices:
    """(P,) the arm of most worth; where cost has no price, a cheaper one within noise of it.

    Rows without an allowed arm give 0. A price makes the cheaper of two like arms worth more by itself; what the noise
    rule would save beyond that, the average budget would only spend elsewhere, where it buys less.
    value: what `worth` gives, where that is at hand.
    """
    arm = (worth(options, price_of_cost) if value is None else value).argmax(axis=1)
    return arm if price_of_cost else cheaper_within_noise(options, arm)


def cheaper_within_noise(options: Options, arm: Indices) -> Indices:
    """(P,) the cheapest allowed arm that `arm` does not beat by more than noise."""
    chosen = arm.copy()
    several = sorted(set(arm.tolist()))
    for best in several:
        rows = (arm == best).nonzero()[0] if len(several) > 1 else slice(None)  # all of them, without a copy
        close = options.noise.within(best, options.bins[rows], options.accuracy[rows], options.stderr[rows])
        close &= options.allowed[rows]
        close[:, best] = True
        price = np.where(close, options.price[rows], np.inf)
        cheapest = price.argmin(axis=1)
        chosen[rows] = np.where(price.min(axis=1) < price[:, best], cheapest, best)
    return chosen


@dataclass(frozen=True)
class Aimed:
    """Arms for a target accuracy, and for which prompts they reach it; (P,). allowed: (P, A) what they were among."""

    arm: Indices
    reached: NDArray[np.bool_]
    allowed: Mask


def aim(options: Options, target: float, fallback: Indices, *, capped: bool) -> Aimed:
    """The cheapest allowed arm whose expected accuracy is at least `target`, else `fallback`.

    One of unknown price is taken for the dearest.
    capped: nothing dearer than the fallback is allowed.
    """
    allowed = options.allowed
    if capped:
        price = options.price[np.arange(len(fallback)), fallback]
        allowed = allowed & (options.price <= price[:, None] * SLACK)
    price = np.where(allowed & (options.accuracy >= target), np.minimum(options.price, _MOST), np.inf)
    cheapest = price.argmin(axis=1)
    reached = np.isfinite(price[np.arange(len(price)), cheapest])
    return Aimed(np.where(reached, cheapest, fallback), reached, allowed)
