"""The budget model: from logged outcomes and believed difficulty to forecasts of every arm."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from planner.budget.cells import CellCounts, count
from planner.budget.cost import CostForecaster
from planner.budget.forecasts import Believed, Forecasts, Support
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable


class BudgetModel:
    """Expected accuracy and cost of every arm, by prompt."""

    def __init__(self, *, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, table: OutcomeTable, belief: Believed, membership: Floats) -> Self:
        """Learn from P prompts: `belief` of them out of fold, `membership` (P, B) in the bins from all their outcomes."""
        weight = np.where(np.isfinite(table.outcome), np.minimum(table.weight, 10.0), 0.0).astype(np.float64)
        counts = count(table.outcome.astype(np.float64), weight, membership.astype(np.float64))
        self.arms_ = table.arms
        self.accuracy_ = _rates(counts).astype(np.float32)
        self.variance_ = (self.accuracy_ * (1 - self.accuracy_) / (counts.n + 2)).astype(np.float32)
        self.support_ = Support(
            (weight > 0).sum(0).astype(np.int32), table.weight.sum(0).astype(np.int32), table.extrapolated
        )
        self.costs_ = CostForecaster.fit(table, belief, membership)
        return self

    def forecast(self, belief: Believed) -> Forecasts:
        """Forecasts of every arm for the prompts of `belief`."""
        accuracy = belief.bins @ self.accuracy_
        stderr = np.sqrt(np.square(belief.bins) @ self.variance_)
        return Forecasts(self.arms_, accuracy, stderr, self.support_, belief, self.costs_)


def _rates(counts: CellCounts) -> Any:
    overall = (counts.right.sum(0) + 1) / (counts.n.sum(0) + 2)
    return (counts.right + overall * 2) / (counts.n + 2)
