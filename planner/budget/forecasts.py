"""What the arms are expected to do on some prompts: accuracy, its standard error, and cost in every unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.budget.cost import Amounts, CostModel
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

    @cached_property
    def by_arm(self) -> list[tuple[int, int, bool]]:
        """The three of each arm."""
        return list(zip(self.n_prompts.tolist(), self.n_runs.tolist(), self.extrapolated.tolist(), strict=True))


@dataclass(frozen=True)
class Forecasts:
    """Forecasts for P prompts and A arms.

    accuracy: (P, A) expected accuracy.
    stderr: (P, A) standard error of the mean accuracy of such prompts, in the same unit.
    loads: (P, 4, G, B) what costs are linear in; see `CostModel.loads`.
    Costs are worked out when asked for, in the unit asked for.
    """

    arms: tuple[Arm, ...]
    accuracy: Floats
    stderr: Floats
    support: Support
    loads: Floats
    costs: CostModel

    def __len__(self) -> int:
        return len(self.accuracy)

    def cost(self, unit: Unit, *, worst: bool = False) -> Floats:
        """Expected (or worst) cost of every arm in `unit`, (P, A); NaN where it is unknown."""
        return self.costs.cost(self.loads, unit, worst=worst)

    def at(self, prompt: int, arm: int) -> Forecast:
        """Forecast of one arm on one prompt, with a 90% interval of its mean accuracy."""
        return self.at_pairs([prompt], [arm])[0]

    def at_pairs(self, prompts: list[int], arms: list[int]) -> list[Forecast]:
        """The same of each of `arms` on the prompt beside it."""
        maker, support = self.costs.maker, self.support.by_arm
        if maker is not None:
            return maker.at_pairs(self.accuracy, self.stderr, self.loads, prompts, arms, support, Z_90)
        made = []
        for prompt, arm in zip(prompts, arms, strict=True):
            mean, error = self.accuracy.item(prompt, arm), Z_90 * self.stderr.item(prompt, arm)
            spent = self.costs.spent(self.loads[prompt], arm)
            made.append(_forecast(mean, max(mean - error, 0.0), min(mean + error, 1.0), *spent, support[arm]))
        return made


def _forecast(
    mean: float, low: float, high: float, expected: Amounts, worst: Amounts, support: tuple[int, int, bool]
) -> Forecast:
    cost = _cost(expected)
    return Forecast.trusted(
        {
            "accuracy": mean,
            "accuracy_low": low,
            "accuracy_high": high,
            "cost": cost,
            "cost_worst": cost if worst == expected else _cost(worst),
            "n_prompts": support[0],
            "n_runs": support[1],
            "extrapolated": support[2],
        }
    )


def _cost(amounts: Amounts) -> Cost:
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
