"""Means of every arm over the logged prompts: what a table of curves shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm, Unit
from planner.curves.costs import logged_cost
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable

_UNITS: tuple[Unit, ...] = ("usd", "flops", "tokens", "generations")


@dataclass(frozen=True)
class ArmMeans:
    """One arm over the prompts that it is logged on.

    by_bin: mean accuracy by bin of difficulty, the easiest first; empty where no bins were given. cost: by unit, NaN
    where it is unknown.
    """

    arm: Arm
    n_prompts: int
    accuracy: float
    by_bin: tuple[float, ...]
    cost: Mapping[Unit, float]
    extrapolated: bool


def arm_means(table: OutcomeTable, membership: Floats | None = None) -> list[ArmMeans]:
    """Means of all arms, sorted by generator, search, selection and size; `membership` (P, B) says the bins."""
    known = np.isfinite(table.outcome)
    y = np.where(known, table.outcome, 0)
    n = known.sum(axis=0)
    costs = {unit: _mean(logged_cost(table, unit), known) for unit in _UNITS}
    bins = np.zeros((0, len(table.arms)))
    if membership is not None:
        weight = membership.T.astype(np.float64) @ known
        bins = np.divide(membership.T @ y, weight, out=np.full(weight.shape, np.nan), where=weight > 0)
    means = [
        ArmMeans(
            arm=arm,
            n_prompts=int(n[a]),
            accuracy=float(y[:, a].sum(dtype=np.float64) / n[a]),
            by_bin=tuple(bins[:, a].tolist()),
            cost={unit: float(cost[a]) for unit, cost in costs.items()},
            extrapolated=bool(table.extrapolated[a]),
        )
        for a, arm in enumerate(table.arms)
        if n[a]
    ]
    return sorted(means, key=lambda m: (m.arm.generator, m.arm.search, m.arm.selection, m.arm.depth, m.arm.breadth))


def _mean(cost: Floats, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the prompts with an outcome; NaN as soon as one of their costs is."""
    n = known.sum(axis=0)
    total = np.where(known, cost, 0).sum(axis=0, dtype=np.float64)
    mean: NDArray[np.float64] = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    return mean
