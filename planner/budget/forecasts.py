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
    def loads(self) -> Floats:
        """(P, 4, G, B) what costs are linear in; see `CostModel.loads`."""
        return self.costs.loads(self.belief)

    def cost(self, unit: Unit, *, worst: bool = False) -> Floats:
        """Expected (or worst) cost of every arm in `unit`, (P, A); NaN where it is unknown."""
        return self.costs.cost(self.loads, unit, worst=worst)

    def at(self, prompt: int, arm: int) -> Forecast:
        """Forecast of one arm on one prompt, with a 90% interval of its mean accuracy."""
        return self.at_pairs(np.array([prompt]), np.array([arm]))[0]

    def at_pairs(self, prompts: NDArray[np.intp], arms: NDArray[np.intp]) -> list[Forecast]:
        """Forecasts of each of `arms` on the prompt beside it."""
        accuracy = self.accuracy[prompts, arms]
        error = Z_90 * self.stderr[prompts, arms]
        spent = self.costs.parts(self.loads, prompts, arms)
        unknown = np.isnan(spent)
        if unknown.any():
            spent = spent.astype(object)
            spent[unknown] = None
        columns = (
            accuracy.tolist(),
            np.maximum(accuracy - error, 0).tolist(),
            np.minimum(accuracy + error, 1).tolist(),
            spent.tolist(),
            self.support.n_prompts[arms].tolist(),
            self.support.n_runs[arms].tolist(),
            self.support.extrapolated[arms].tolist(),
        )
        return [
            Forecast.trusted(
                {
                    "accuracy": mean,
                    "accuracy_low": low,
                    "accuracy_high": high,
                    "cost": _cost(expected),
                    "cost_worst": _cost(worst),
                    "n_prompts": n_prompts,
                    "n_runs": n_runs,
                    "extrapolated": extrapolated,
                }
            )
            for mean, low, high, (expected, worst), n_prompts, n_runs, extrapolated in zip(*columns, strict=True)
        ]


def _cost(amounts: list[float | None]) -> Cost:
    """The cost by `cost.SPENT`."""
    generations, prompt, completion, verifier, flops, usd, seconds = amounts
    return Cost.trusted(
        {
            "generations": generations,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "verifier_tokens": verifier,
            "flops": flops,
            "usd": usd,
            "latency_seconds": seconds,
        }
    )
