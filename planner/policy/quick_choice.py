"""The choice where no prompt is declined and no accuracy aimed at, in loops of C where these were built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from planner.budget import Forecasts
from planner.compiled import BUILT
from planner.core import Unit
from planner.curves.logs import Floats
from planner.difficulty import Belief
from planner.policy.choose import own_share
from planner.policy.exchange import Rate, Vertices
from planner.policy.noise import LEAST_DIFFERENCE, NOTHING, PairedNoise
from planner.policy.restrict import SLACK, Mask

if BUILT:
    from planner.compiled.choosing import Chooser


class Allowed(NamedTuple):
    """What may be chosen: arms (A,), worst costs within ceilings, and arms (A,) to prefer where any of them can be."""

    mask: Mask
    ceilings: Mapping[Unit, float]
    hull: Mask | None


class QuickChoice:
    """Chooses as `exchange.vertices` does among what `restrict`, `traffic` and `choose` leave."""

    def __init__(self, chooser: Chooser) -> None:
        """Prefer `QuickChoice.of`."""
        self._chooser = chooser

    @classmethod
    def of(cls, noise: PairedNoise) -> QuickChoice | None:
        """By these paired differences; None where nothing was built."""
        if not BUILT:
            return None
        return cls(Chooser(noise.difference, noise.variance, LEAST_DIFFERENCE, float(NOTHING)))

    def vertices(
        self, forecasts: Forecasts, belief: Belief, allowed: Allowed, unit: Unit, usual: Floats, rate: Rate
    ) -> Vertices:
        """The arms that a rate mixes and what every arm is worth; see `exchange.vertices`.

        unit: of price. usual: (A,) accuracy on any prompt, towards which text alone is drawn. Where no arm is allowed
        it is -1.
        """
        table = forecasts.costs.table
        low, high, worth = self._chooser.choose(
            forecasts.loads,
            [(table(of, worst=True), ceiling * SLACK) for of, ceiling in allowed.ceilings.items()],
            table(unit, worst=False),
            allowed.mask.view(np.uint8),
            None if allowed.hull is None else allowed.hull.view(np.uint8),
            forecasts.accuracy,
            forecasts.stderr,
            usual,
            own_share(belief.source),
            belief.bins,
            rate.low,
            rate.high,
        )
        return Vertices(low, high, worth)
