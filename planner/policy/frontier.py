"""Frontiers of cost and value: the arms worth considering, and what a random mixture of two of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput

Doubles = NDArray[np.float64]
Numbers = Sequence[float] | NDArray[np.floating[Any]]


def pareto_frontier(costs: Numbers, values: Numbers) -> list[int]:
    """Indices, by rising cost, of the points that no other beats, being as cheap and better, or cheaper and as good.

    Points with an unknown (NaN) cost or value are left out; of equal points the first stays.

    >>> pareto_frontier([1.0, 2.0, 3.0], [0.5, 0.4, 0.9])
    [0, 2]
    """
    cost, value = _checked(costs, values)
    known = np.flatnonzero(np.isfinite(cost) & np.isfinite(value))
    order = known[np.lexsort((known, -value[known], cost[known]))]
    frontier: list[int] = []
    best = -np.inf
    for index in order:
        if value[index] > best:
            best = value[index]
            frontier.append(int(index))
    return frontier


@dataclass(frozen=True)
class Mixture:
    """`upper` with probability `share`, else `lower`."""

    lower: int
    upper: int
    share: float


@dataclass(frozen=True)
class Hull:
    """Vertices of a concave hull by rising cost: anything between two of them is had by mixing them at random."""

    indices: tuple[int, ...]
    costs: Doubles
    values: Doubles

    def at(self, cost: float) -> float:
        """Value of the mixture that costs `cost` on average; NaN below the cheapest vertex, flat past the last."""
        if len(self.indices) == 0 or cost < self.costs[0]:
            return float("nan")
        return float(np.interp(cost, self.costs, self.values))

    def mixture(self, cost: float) -> Mixture | None:
        """The two vertices (indices of the points given) whose mixture costs `cost`; None below the cheapest."""
        if len(self.indices) == 0 or cost < self.costs[0]:
            return None
        right = int(np.searchsorted(self.costs, cost, side="right"))
        if right == len(self.costs):
            return Mixture(self.indices[-1], self.indices[-1], 1.0)
        share = (cost - self.costs[right - 1]) / (self.costs[right] - self.costs[right - 1])
        return Mixture(self.indices[right - 1], self.indices[right], float(share))


def mixture_hull(costs: Numbers, values: Numbers) -> Hull:
    """Concave hull of (cost, value) from the cheapest point to the best: the yardstick that needs to know no prompt.

    >>> mixture_hull([1.0, 2.0, 3.0], [0.0, 0.1, 1.0]).at(2.0)
    0.5
    """
    cost, value = _checked(costs, values)
    stack: list[int] = []
    for index in pareto_frontier(cost, value):
        while len(stack) > 1 and _below(stack[-2], stack[-1], index, cost, value):
            stack.pop()
        stack.append(index)
    return Hull(tuple(stack), cost[stack], value[stack])


def _below(left: int, middle: int, right: int, cost: Doubles, value: Doubles) -> bool:
    rise = (value[middle] - value[left]) * (cost[right] - cost[left])
    return bool(rise <= (value[right] - value[left]) * (cost[middle] - cost[left]))


def _checked(costs: Numbers, values: Numbers) -> tuple[Doubles, Doubles]:
    cost, value = np.asarray(costs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != value.shape:
        raise InvalidInput(f"costs and values must be lists of one length, got shapes {cost.shape} and {value.shape}")
    return cost, value
