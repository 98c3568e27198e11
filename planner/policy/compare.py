"""Whether a new fit may take the place of the promoted one: paired, on the same held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.errors import InvalidInput

DELTA = 0.005
Z_95_ONE_SIDED = 1.6448536
COST_SLACK = 0.01  # mean budgets are kept in expectation: a hundredth more is chance
LEAST_PROMPTS = 20


@dataclass(frozen=True)
class Performance:
    """What a policy got on some prompts and paid for it, mean over budgets; (P,), NaN where unknown."""

    accuracy: Floats
    cost: Floats


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, with the paired difference (challenger less champion) and the reason."""

    promoted: bool
    difference: float
    difference_low: float
    cost_ratio: float
    n_prompts: int
    reason: str


def compare(challenger: Performance, champion: Performance, *, delta: float = DELTA) -> Verdict:
    """Promote unless the challenger may be worse by more than `delta` (one-sided 95%) or costs more.

    Raises InvalidInput where the two were not judged on the same prompts.
    """
    if challenger.accuracy.shape != champion.accuracy.shape:
        raise InvalidInput("challenger and champion must be judged on the same prompts, in the same order")
    known = np.isfinite(challenger.accuracy) & np.isfinite(champion.accuracy)
    n = int(known.sum())
    if n < LEAST_PROMPTS:
        nan = float("nan")
        reason = f"kept the promoted policy: only {n} held-out prompts can be compared, {LEAST_PROMPTS} are needed"
        return Verdict(False, nan, nan, nan, n, reason)
    gain = (challenger.accuracy - champion.accuracy)[known].astype(np.float64)
    mean, error = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(n))
    low = mean - Z_95_ONE_SIDED * error
    extra = (challenger.cost - champion.cost)[known].astype(np.float64)
    paid = float(champion.cost[known].mean(dtype=np.float64))
    ratio = 1 + float(extra.mean()) / paid if paid > 0 else 1.0
    dearer = ratio > 1 + COST_SLACK and extra.mean() > Z_95_ONE_SIDED * extra.std(ddof=1) / np.sqrt(n)
    figures = (
        f"{100 * mean:+z.2f} points on {n} held-out prompts (at least {100 * low:+z.2f} with 95% confidence), "
        f"at {ratio:.2f} times the cost"
    )
    if low <= -delta:
        reason = f"kept the promoted policy: the new one may be worse by more than {100 * delta:.1f} points: {figures}"
        return Verdict(False, mean, low, ratio, n, reason)
    if dearer:
        return Verdict(False, mean, low, ratio, n, f"kept the promoted policy: the new one costs more: {figures}")
    return Verdict(True, mean, low, ratio, n, f"promoted: not worse than the policy before: {figures}")


def mean_performance(accuracy: Sequence[Floats], cost: Sequence[Floats]) -> Performance:
    """Mean over budgets of outcomes and costs of the same prompts; unknown where any budget is."""
    return Performance(_mean(accuracy), _mean(cost))


def _mean(parts: Sequence[Floats]) -> NDArray[np.float32]:
    return np.asarray(np.mean(np.stack(parts), axis=0, dtype=np.float64), dtype=np.float32)
