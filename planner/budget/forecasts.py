"""What the arms are expected to do on some prompts: accuracy, its standard error, and cost in every unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.budget.believed import Believed
from planner.budget.cost import CostModel
from planner.core import Arm, Cost, Forecast, Unit
from planner.curves.logs import Floats

if TYPE_CHECKING:
    from planner.curves.logs import Ints

Z_90 = 1.6448536  # two-sided 90%


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
        accuracy, error = float(self.accuracy[prompt, arm]), Z_90 * float(self.stderr[prompt, arm])
        return Forecast(
            accuracy=accuracy,
            accuracy_low=max(0.0, accuracy - error),
            accuracy_high=min(1.0, accuracy + error),
            cost=self._cost_at(prompt, arm, worst=False),
            cost_worst=self._cost_at(prompt, arm, worst=True),
            n_prompts=int(self.support.n_prompts[arm]),
            n_runs=int(self.support.n_runs[arm]),
            extrapolated=bool(self.support.extrapolated[arm]),
        )

    def _cost_at(self, prompt: int, arm: int, *, worst: bool) -> Cost:
        amounts = self.costs.parts(self.belief, self.factors, prompt, arm, worst=worst)
        known: dict[str, Any] = {name: amount for name, amount in amounts.items() if amount == amount}  # noqa: PLR0124
        return Cost(**known)
