"""The means that are kept over the traffic of one process."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from planner.api.mean_budget import History, MeanBudget
from planner.core import Unit

MOST_MEANS = 64


@dataclass
class Traffic:
    """The means that are kept in this process, one for each target that is asked for, the latest of them."""

    _means: OrderedDict[tuple[Unit, float], MeanBudget] = field(default_factory=OrderedDict)

    def known(self, unit: Unit, target: float) -> MeanBudget | None:
        """The mean of that target, if it was asked for before."""
        mean = self._means.get((unit, target))
        if mean is not None:
            self._means.move_to_end((unit, target))
        return mean

    def begin(self, unit: Unit, target: float, history: History) -> MeanBudget:
        """The mean of a new target, which goes on from the history of earlier processes."""
        fresh = MeanBudget(unit, target)
        fresh.begin_from(history)
        mean = self._means.setdefault((unit, target), fresh)
        if len(self._means) > MOST_MEANS:
            self._means.popitem(last=False)
        return mean
