"""Whether a new fit may take the place of the promoted one: paired, on the same held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan

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
    """Whether the challenger is promoted, with the reason and the paired difference (challenger less champion).

    The figures are NaN where nothing can be compared.
    """

    promoted: bool
    reason: str
    n_prompts: int = 0
    difference: float = nan
    difference_low: float = nan
    cost_ratio: float = nan


def not_compared(why: str, n_prompts: int = 0) -> Verdict:
    """The verdict where nothing tells whether the challenger is worse: that is left to the user."""
    reason = f"kept the promoted policy: {why}; `planner policies promote ID` takes the new one into use"
    return Verdict(False, reason, n_prompts)


def compare(challenger: Performance, champion: Performance, *, delta: float = DELTA) -> Verdict:
    """Promote unless the challenger may be worse by more than `delta` (one-sided 95%) or costs more.

    Raises InvalidInput where the two were not judged on the same prompts.
    """
    if challenger.accuracy.shape != champion.accuracy.shape:
        raise InvalidInput("challenger and champion must be judged on the same prompts, in the same order")
    known = np.isfinite(challenger.accuracy) & np.isfinite(champion.accuracy)
    n = int(known.sum())
    if n < LEAST_PROMPTS:
        return not_compared(f"only {n} held-out prompts can be compared, {LEAST_PROMPTS} are needed", n)
    gain = (challenger.accuracy - champion.accuracy)[known].astype(np.float64)
    mean, error = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(n))
    low = mean - Z_95_ONE_SIDED * error
    extra = (challenger.cost - champion.cost)[known].astype(np.float64)
    paid = float(champion.cost[known].mean(dtype=np.float64))
    ratio = 1 + float(extra.mean()) / paid if paid > 0 else inf if extra.mean() > 0 else 1.0
    dearer = ratio > 1 + COST_SLACK and extra.mean() > Z_95_ONE_SIDED * extra.std(ddof=1) / np.sqrt(n)
    figures = (
        f"{100 * mean:+z.2f} points on {n} held-out prompts (at least {100 * low:+z.2f} with 95% confidence), "
        f"at {ratio:.2f} times the cost"
    )
    promoted, why = True, "promoted: not worse than the policy before"
    if low <= -delta:
        promoted = False
        why = f"kept the promoted policy: the new one may be worse by more than {100 * delta:.1f} points"
    elif dearer:
        promoted, why = False, "kept the promoted policy: the new one costs more"
    return Verdict(promoted, f"{why}: {figures}", n, mean, low, ratio)


def mean_performance(accuracy: Sequence[Floats], cost: Sequence[Floats]) -> Performance:
    """Mean over budgets of outcomes and costs of the same prompts; unknown where any budget is."""
    return Performance(_mean(accuracy), _mean(cost))


def _mean(parts: Sequence[Floats]) -> NDArray[np.float32]:
    return np.asarray(np.mean(np.stack(parts), axis=0, dtype=np.float64), dtype=np.float32)
