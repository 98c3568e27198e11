"""The search for plans by backward induction.

A plan is a path through the lattice of draws with a threshold on the posterior after each. Over replays every path and
threshold is valued by what it really gave and cost, so that nothing is bootstrapped from fitted values; one threshold
a node is all that a few hundred prompts can tell (on held-out prompts of the lab, trees that part by the posterior
gained nothing over it, and fitted value iteration lost a point).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.policy.adaptive.draws import Draw, Node, empty, lattice, successors
from planner.policy.adaptive.logistic import Doubles
from planner.policy.adaptive.plan import Plan
from planner.policy.adaptive.seen import Seen

THRESHOLDS = np.array(
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95,
     0.97, 0.98, 0.99, 0.995, 1.01]
)  # fmt: skip
LEAST_GAIN = 1e-9
TOLERANCE = 5e-4
"""Worth a replay that is given up for a higher threshold: the best one on a few hundred prompts stops too soon on
others (on 800 fresh problems of the lab, .2 points more at the same cost)."""


class Search:
    """Finds the best plan of a lattice for any price of cost."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        replays = seen.replays
        self._nodes = lattice(replays.pools)
        self._columns = {node: replays.columns(node) for node in self._nodes}
        self._next = {
            node: [
                (draw, after, _new(self._columns[node], self._columns[after]))
                for draw, after in successors(node, replays.pools).items()
            ]
            for node in self._nodes
        }
        self._bins = {node: np.searchsorted(THRESHOLDS, seen.at(node)[0], side="right") for node in self._nodes[1:]}

    def best(self, cost: Floats, price: float, ceiling: float = np.inf) -> Plan:
        """The plan of most worth, grade - price x cost, among those whose draws cost `ceiling` at most on average.

        cost: (N, S) of every slot.
        """
        mean = cost.mean(axis=0)
        priced = price * cost.astype(np.float64)
        worth: dict[Node, Doubles] = {}
        steps: dict[Node, tuple[Draw, Node, float] | None] = {}
        for node in reversed(self._nodes[1:]):
            if mean[self._columns[node]].sum() <= ceiling:
                worth[node], steps[node] = self._decide(node, priced, worth)
        begin = [
            (float((worth[after] - priced[:, column]).mean()), -draw, draw, after)
            for draw, after, column in self._next[self._nodes[0]]
            if after in worth
        ]
        if not begin:
            return Plan((), ())
        *_, draw, node = max(begin)
        draws, stops = [draw], []
        while (step := steps[node]) is not None:
            draw, node, threshold = step
            draws.append(draw)
            stops.append(threshold)
        return Plan(tuple(draws), (*stops, 0.0))

    def _decide(
        self, node: Node, priced: Doubles, worth: Mapping[Node, Doubles]
    ) -> tuple[Doubles, tuple[Draw, Node, float] | None]:
        """Worth of a node from here on, and the draw that follows below a threshold."""
        bins, stopped = self._bins[node], self._seen.at(node)[1]
        best, step, going = LEAST_GAIN, None, stopped
        for draw, after, column in self._next[node]:
            if after not in worth:
                continue
            on = worth[after] - priced[:, column]
            gain = np.cumsum(np.bincount(bins, on - stopped, minlength=len(THRESHOLDS) + 1))[:-1]
            most = float(gain.max())
            if most > best:
                k = int(np.flatnonzero(gain >= most - TOLERANCE * len(bins))[-1])
                best, step = most, (draw, after, float(THRESHOLDS[k]))
                going = np.where(bins <= k, on, stopped)
        return going, step


def _new(before: list[int], after: list[int]) -> int:
    (column,) = set(after) - set(before)
    return column


@dataclass(frozen=True)
class Carried:
    """A plan of L draws carried out by replay.

    grade: (L, N) of the answer, were the plan cut after 1, ..., L draws. drew: (L, N) whether a draw was made.
    columns: (L,) slots drawn.
    """

    grade: Doubles
    drew: NDArray[np.bool_]
    columns: NDArray[np.intp]

    def cost(self, cost: NDArray[np.floating[Any]]) -> Doubles:
        """(L, N) spent, were the plan cut after 1, ..., L draws; `cost` (N, S) of every slot."""
        return np.asarray(np.cumsum(self.drew * cost[:, self.columns].T, axis=0, dtype=np.float64))


def carry(plan: Plan, seen: Seen) -> Carried:
    """Carry a plan out on every replay."""
    pools, n = seen.replays.pools, len(seen.replays)
    node, going, grade = empty(pools), np.ones(n, dtype=np.bool_), np.zeros(n)
    grades, drew, columns = [], [], []
    for draw, stop_at in zip(plan.draws, plan.stop_at, strict=True):
        after = successors(node, pools)[draw]
        columns.append(_new(seen.replays.columns(node), seen.replays.columns(after)))
        drew.append(going.copy())
        node = after
        chance, right = seen.at(node)
        grade = np.where(going, right, grade)
        grades.append(grade)
        sure = seen.votes(node) if plan.by_votes else chance
        going = going & (sure < stop_at)
    return Carried(np.stack(grades), np.stack(drew), np.array(columns, dtype=np.intp))
