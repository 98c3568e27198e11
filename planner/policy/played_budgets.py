"""Budgets that an evaluation plays, and the unit that it reckons in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.core import Budget, Unit
from planner.curves.costs import logged_cost
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.errors import InfeasibleBudget
from planner.policy.held_out import HeldOut
from planner.policy.policy import ANYTHING
from planner.policy.yardstick import MixtureYardstick

N_BUDGETS = 8


def primary_unit(table: OutcomeTable) -> Unit:
    """USD if known for most outcomes and not all free, else FLOPs, else tokens, else generations."""
    units: tuple[Unit, ...] = ("usd", "flops", "tokens")
    known = np.isfinite(table.outcome)
    for unit in units:
        if np.isfinite(logged_cost(table, unit)[known]).mean() > 0.9 and len(paid(table, unit)):
            return unit
    return "generations"


def paid(table: OutcomeTable, unit: Unit) -> Floats:
    """(N,) logged costs of the outcomes in `unit`, those that are unknown or nothing left out."""
    cost = logged_cost(table, unit)[np.isfinite(table.outcome)]
    return cost[cost > 0]


def unit_of(budgets: Sequence[Budget]) -> Unit:
    """The unit of the first budget's average, else of its first ceiling."""
    first = budgets[0]
    return first.mean[0] if first.mean is not None else next(iter(first.ceilings))


def _name(budget: Budget) -> str:
    limits = [f"max_{unit}={value:.4g}" for unit, value in budget.ceilings.items()]
    if budget.mean is not None:
        limits.append(f"mean_{budget.mean[0]}={budget.mean[1]:.4g}")
    return ", ".join(limits)


def default_budgets(folds: Sequence[HeldOut], hull: MixtureYardstick, table: OutcomeTable, unit: Unit) -> list[Budget]:
    """Eight averages over traffic, evenly spaced in log inside the hull's range of cost.

    Where all of the hull is free, inside the range of what is not, which the policy should then leave alone. Where all
    arms cost nearly the same, fewer: none is below what the cheapest takes in some fold.
    """
    low, high = hull.cost_range
    if not high:
        low, high = float(paid(table, unit).min()), float(paid(table, unit).max())
    values = np.geomspace(low, high, N_BUDGETS + 2)[1:-1]
    floor = hull.dearest_beginning
    for fold in folds:
        error = _too_low(fold, _mean(unit, max(floor, float(values[0]))))
        floor = floor if error is None else max(floor, error.least or 0.0)
    return [_mean(unit, float(value)) for value in np.unique(np.maximum(values, floor))]


def _mean(unit: Unit, value: float) -> Budget:
    return Budget(**{f"mean_{unit}": value})


def named(budgets: Sequence[Budget]) -> dict[str, Budget]:
    """Budgets by what a report calls them."""
    return {_name(budget): budget for budget in budgets}


def kept(folds: Sequence[HeldOut], budgets: Sequence[Budget]) -> tuple[dict[str, Budget], list[str]]:
    """The budgets that the policy of every fold can keep, by name, and why the others are left out.

    Raises InfeasibleBudget where none can be kept.
    """
    fine, refused = {}, []
    for name, budget in named(budgets).items():
        errors = [error for fold in folds if (error := _too_low(fold, budget)) is not None]
        if errors:
            refused.append(max(errors, key=lambda error: error.least or 0.0))
        else:
            fine[name] = budget
    if refused and not fine:
        raise refused[0]
    return fine, [f"left out: {error}" for error in refused]


def _too_low(fold: HeldOut, budget: Budget) -> InfeasibleBudget | None:
    try:
        if budget.mean is not None:
            fold.policy.traffic.rate(budget, ANYTHING)
    except InfeasibleBudget as error:
        return error
    return None
