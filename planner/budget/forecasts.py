"""What the arms are expected to do on some prompts: accuracy, its standard error, and cost in every unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm, Cost, Forecast, Unit
from planner.curves.logs import Floats, Ints

Z_90 = 1.6448536  # two-sided 90%


class Believed(Protocol):
    """What is believed of P prompts; `planner.difficulty.Belief` is one.

    features (P, F) standardised text features, bins (P, B) posterior with bin 0 the easiest, n_characters (P,).
    """

    @property
    def features(self) -> Floats: ...  # noqa: D102
    @property
    def bins(self) -> Floats: ...  # noqa: D102
    @property
    def n_characters(self) -> Floats: ...  # noqa: D102


class CostModel(Protocol):
    """Gives use and cost of every arm; `planner.budget.cost.CostForecaster` is one."""

    def cost(self, belief: Believed, unit: Unit, *, worst: bool = False) -> Floats:
        """(P, A) cost in `unit`, NaN where unknown."""

    def parts(self, belief: Believed, row: int, arm: int, *, worst: bool = False) -> dict[str, float]:
        """Generations and tokens of one arm on one prompt."""


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

    def cost(self, unit: Unit, *, worst: bool = False) -> Floats:
        """Expected (or worst) cost of every arm in `unit`, (P, A); NaN where it is unknown."""
        return self.costs.cost(self.belief, unit, worst=worst)

    def at(self, prompt: int, arm: int) -> Forecast:
        """The forecast of one arm on one prompt, with a 90% interval of its mean accuracy."""
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
        parts: dict[str, Any] = {
            name: _known(value) for name, value in self.costs.parts(self.belief, prompt, arm, worst=worst).items()
        }
        return Cost(**parts)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


