from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import orjson

from planner.core.arm import Arm
from planner.core.base import Frozen
from planner.core.budget import Budget, Cost


class Forecast(Frozen):
    """What an arm is expected to do on one prompt; accuracy bounds are a 90% interval of the mean.

    `cost` is expected, `cost_worst` is what ceilings are held against. `n_prompts` and `n_runs` say what the
    figure rests on; `extrapolated` marks budgets past the log.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    cost: Cost
    cost_worst: Cost
    n_prompts: int
    n_runs: int
    extrapolated: bool = False


class Difficulty(Frozen):
    """Posterior of a prompt's difficulty; bin 1 is the easiest."""

    pass_rate: float
    bin_probabilities: tuple[float, ...]
    most_likely_bin: int
    source: Literal["text", "probes", "prior"]


class Alternative(Frozen):
    """A runner-up of a recommendation."""

    arm: Arm
    forecast: Forecast


class Recommendation(Frozen):
    """The chosen arm for one prompt, with its forecast and the reason in words.

    `declined` says that the evidence was too thin for a choice by prompt; the arm is then the default.
    """

    recommendation_id: str
    prompt_id: str
    budget: Budget | None
    arm: Arm
    forecast: Forecast
    difficulty: Difficulty
    alternatives: tuple[Alternative, ...] = ()
    reason: str
    declined: bool = False
    target_accuracy: float | None = None
    policy_id: str
    propensity: float = 1.0

    @cached_property
    def json_text(self) -> str:
        """The whole of it as JSON, made once for all who write it: what `model_dump_json` gives, in half the time."""
        parts = {
            **vars(self),
            "budget": None if self.budget is None else self.budget.fragment,
            "arm": self.arm.fragment,
            "forecast": _parts(self.forecast),
            "difficulty": vars(self.difficulty),
            "alternatives": [
                {"arm": other.arm.fragment, "forecast": _parts(other.forecast)} for other in self.alternatives
            ],
        }
        try:
            return orjson.dumps(parts).decode()
        except orjson.JSONEncodeError:
            return self.model_dump_json()  # it has the words for an id that is no valid UTF-8


def _parts(forecast: Forecast) -> dict[str, Any]:
    return {**vars(forecast), "cost": vars(forecast.cost), "cost_worst": vars(forecast.cost_worst)}
