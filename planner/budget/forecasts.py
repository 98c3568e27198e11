"""What the arms are expected to do on some prompts: accuracy, its standard error, and cost in every unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.budget.believed import Believed
from planner.budget.cost import CostModel
from planner.core import Arm, Cost, Forecast, Unit
from planner.curves.logs import Floats

if TYPE_CHECKING:
    from planner.curves.logs import Ints

Z_90 = 1.6448536  # two-sided 90%
_FIELDS = tuple(Forecast.model_fields)


@dataclass(frozen=True)
class Support:
    """What each arm's forecast rests on; arrays of shape (A,)."""

    n_prompts: Ints
    n_runs: Ints
    extrapolated: NDArray[np.bool_]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts for P prompts and A arms.

    accuracy: (P, A) expected accuracy.
    stderr: (P, A) standard error of the mean accuracy of such prompts, in the same unit.
    Costs are worked out when asked for, in the unit asked for.
    """

    arms: tuple[Arm, ...]
    accuracy: Floats
    stderr: Floats
    support: Support
    belief: Believed
    costs: CostModel

    def __len__(self) -> int:
        return len(self.accuracy)

    @cached_property
    def factors(self) -> Floats:
        """(P, 4, generators) how long prompts and answers will be, relative to the mean of such difficulty."""
        return self.costs.lengths.factors(self.belief)

    def cost(self, unit: Unit, *, worst: bool = False) -> Floats:
        """Expected (or worst) cost of every arm in `unit`, (P, A); NaN where it is unknown."""
        return self.costs.cost(self.belief, self.factors, unit, worst=worst)

    def at(self, prompt: int, arm: int) -> Forecast:
        """Forecast of one arm on one prompt, with a 90% interval of its mean accuracy."""
        return self.at_pairs(np.array([prompt]), np.array([arm]))[0]

    def at_pairs(self, prompts: NDArray[np.intp], arms: NDArray[np.intp]) -> list[Forecast]:
        """Forecasts of each of `arms` on the prompt beside it."""
        accuracy = self.accuracy[prompts, arms]
        error = Z_90 * self.stderr[prompts, arms]
        columns = (
            accuracy.tolist(),
            np.maximum(accuracy - error, 0).tolist(),
            np.minimum(accuracy + error, 1).tolist(),
            self._costs_at(prompts, arms, worst=False),
            self._costs_at(prompts, arms, worst=True),
            self.support.n_prompts[arms].tolist(),
            self.support.n_runs[arms].tolist(),
            self.support.extrapolated[arms].tolist(),
        )
        return [Forecast.trusted(dict(zip(_FIELDS, values, strict=True))) for values in zip(*columns, strict=True)]

    def _costs_at(self, prompts: NDArray[np.intp], arms: NDArray[np.intp], *, worst: bool) -> list[Cost]:
        amounts = self.costs.parts(self.belief, self.factors, prompts, arms, worst=worst)
        columns = []
        for amount in amounts.values():
            known = np.isfinite(amount)
            column = amount.tolist()
            columns.append(column if known.all() else [v if k else None for v, k in zip(column, known, strict=True)])
        return [Cost.trusted(dict(zip(amounts, values, strict=True))) for values in zip(*columns, strict=True)]
