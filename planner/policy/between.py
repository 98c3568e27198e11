"""Forecasts of arms that are not fitted themselves: between two fitted breadths, or past the largest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from planner.core import Arm, Cost, Forecast

WIDER = 2.0
"""How many times wider an interval is past the largest breadth that is logged."""


@dataclass(frozen=True)
class Place:
    """Where an arm stands among fitted arms that differ from it in breadth alone.

    lower, upper: the neighbours (equal past either end). share: of the way to `upper`, in log2 of the breadth.
    """

    arm: Arm
    lower: Arm
    upper: Arm
    share: float
    past_the_log: bool

    def forecast(self, lower: Forecast, upper: Forecast, concurrency: int | None) -> Forecast:
        """From the neighbours' forecasts: accuracy in between, cost in proportion to the breadth.

        Past the largest breadth accuracy stays what it is there, since votes may fall as well as rise.
        concurrency: chains that run side by side, None for all of them; those beyond it wait for the wave before.
        """

        def between(name: str) -> float:
            low, high = getattr(lower, name), getattr(upper, name)
            return float(low + self.share * (high - low))

        accuracy, low, high = (between(name) for name in ("accuracy", "accuracy_low", "accuracy_high"))
        wider = WIDER if self.past_the_log else 1.0
        # One sample pays for no verifier: costs are scaled from an arm that pays for the same.
        base, base_arm = (lower, self.lower) if self.lower.verifier == self.arm.verifier else (upper, self.upper)
        times = self.arm.breadth / base_arm.breadth
        longer = _waves(self.arm, concurrency) / _waves(base_arm, concurrency)
        return Forecast(
            accuracy=accuracy,
            accuracy_low=max(accuracy - wider * (accuracy - low), 0.0),
            accuracy_high=min(accuracy + wider * (high - accuracy), 1.0),
            cost=_times(base.cost, times, longer),
            cost_worst=_times(base.cost_worst, times, longer),
            n_prompts=min(lower.n_prompts, upper.n_prompts),
            n_runs=min(lower.n_runs, upper.n_runs),
            extrapolated=self.past_the_log or lower.extrapolated or upper.extrapolated,
        )


def place_of(arm: Arm, arms: Sequence[Arm]) -> Place | None:
    """The arm's place among `arms`; None where none of them differs from it in breadth alone.

    Only independent chains can be placed: what a tree search does with another width is another search.
    """
    if arm.search != "sampling":
        return None
    alike = [one for one in arms if one.model_copy(update={"breadth": arm.breadth}) == arm]
    if arm.depth == 1 and arm.breadth > 1:
        # One sample is one sample, however it would be chosen.
        alike += [one for one in arms if one == Arm(generator=arm.generator, params=arm.params)]
    if not any(one.breadth > 1 for one in alike):
        return None
    by_breadth = sorted(alike, key=lambda one: one.breadth)
    lower = max((one for one in by_breadth if one.breadth <= arm.breadth), key=lambda one: one.breadth, default=None)
    upper = min((one for one in by_breadth if one.breadth >= arm.breadth), key=lambda one: one.breadth, default=None)
    if lower is None or upper is None:
        nearest = lower or upper
        assert nearest is not None
        return Place(arm, nearest, nearest, 0.0, past_the_log=upper is None)
    width = log2(upper.breadth) - log2(lower.breadth)
    share = (log2(arm.breadth) - log2(lower.breadth)) / width if width else 0.0
    return Place(arm, lower, upper, share, past_the_log=False)


def _waves(arm: Arm, concurrency: int | None) -> int:
    return ceil(arm.breadth / concurrency) if concurrency else 1


def _times(cost: Cost, times: float, longer: float) -> Cost:
    """All that is spent, so many times, in so many times the seconds."""
    factors = {name: longer if name == "latency_seconds" else times for name, _ in cost}
    return Cost(**{name: None if value is None else value * factors[name] for name, value in cost})
