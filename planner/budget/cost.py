"""Cost of every arm, forecast for the prompt: use of each slot by bin, scaled by how long its samples will be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from planner.core import Unit
from planner.curves.costs import Rates, rates
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable, Slots, Usage

if TYPE_CHECKING:
    from planner.budget.forecasts import Believed

PARTS = ("generations", "prompt_tokens", "completion_tokens", "verifier_tokens")
TOKEN_UNITS: tuple[Unit, ...] = ("generations", "tokens", "flops", "usd")


@dataclass(frozen=True)
class CostForecaster:
    """Mean use of every slot by bin."""

    n_arms: int
    slots: Slots
    expected: Usage
    worst: Usage
    latency: Floats
    latency_worst: Floats
    rates: dict[str, Rates]

    @classmethod
    def fit(cls, table: OutcomeTable, belief: Believed, membership: Floats) -> CostForecaster:
        """Learn the use of every slot from the logged prompts."""
        del belief
        return cls(
            len(table.arms),
            table.slots,
            _by_bin(table.expected, membership),
            _by_bin(table.worst, membership),
            _bin_means(table.latency_seconds, membership),
            _bin_means(table.latency_worst_seconds, membership),
            {unit: rates(table.slots, table.models, unit) for unit in TOKEN_UNITS},
        )

    def cost(self, belief: Believed, unit: Unit, *, worst: bool = False) -> Floats:
        """(P, A) cost in `unit`, NaN where unknown."""
        if unit == "latency_seconds":
            return np.asarray(belief.bins @ (self.latency_worst if worst else self.latency))
        by_bin = self.rates[unit].apply(self.worst if worst else self.expected)
        total = np.zeros((self.n_arms, by_bin.shape[0]), dtype=np.float32)
        np.add.at(total, self.slots.arm, by_bin.T)
        return np.asarray(belief.bins @ total.T)

    def parts(self, belief: Believed, row: int, arm: int, *, worst: bool = False) -> dict[str, float]:
        """Generations, tokens, and cost in every unit of one arm on one prompt."""
        usage = self.worst if worst else self.expected
        columns = np.flatnonzero(self.slots.arm == arm)
        bins = belief.bins[row]
        out = {f.name: float((bins @ getattr(usage, f.name)[:, columns]).sum()) for f in fields(Usage)}
        for unit in ("flops", "usd", "latency_seconds"):
            one = _One(belief.features[row : row + 1], belief.bins[row : row + 1], belief.n_characters[row : row + 1])
            out[unit] = float(self.cost(one, unit, worst=worst)[0, arm])
        return out


@dataclass(frozen=True)
class _One:
    features: Floats
    bins: Floats
    n_characters: Floats


def _by_bin(usage: Usage, membership: Floats) -> Usage:
    return Usage(*(_bin_means(getattr(usage, f.name), membership) for f in fields(Usage)))


def _bin_means(values: Floats, membership: Floats) -> Floats:
    known = np.isfinite(values)
    total = membership.T @ np.where(known, values, 0)
    n = membership.T @ known.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / n, dtype=np.float32)
