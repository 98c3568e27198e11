"""Decisions put into words: Recommendation objects, built without validation since every field is our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from planner.budget import Forecasts
from planner.core import Alternative, Budget, Difficulty, Recommendation, Unit
from planner.curves.logs import Floats
from planner.difficulty import Belief
from planner.errors import InvalidInput
from planner.policy.choose import Indices
from planner.policy.prompt import PromptInput
from planner.policy.restrict import Mask

N_ALTERNATIVES = 3
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Decisions:
    """What was chosen for P prompts, and why.

    ranking: (P, A) worth of every arm, -inf where it is not allowed. price_of_cost: accuracy that one unit of cost
    must buy. reached: whether the target accuracy is reached, None without a target.
    """

    arm: Indices
    propensity: Floats
    feasible: Mask
    declined: Mask
    too_thin: str | None
    ranking: Floats
    unit: Unit
    price_of_cost: float
    reached: NDArray[np.bool_] | None
    forced: bool = False


def quick(model: type[Model], **values: Any) -> Model:  # noqa: ANN401 - fields of many types
    """An instance of a frozen model from values that are known to be right: 5 times quicker than checking them."""
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", set(values))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def recommendations(
    prompts: Sequence[PromptInput],
    belief: Belief,
    forecasts: Forecasts,
    decisions: Decisions,
    budget: Budget | None,
    target_accuracy: float | None,
    policy_id: str,
    why_not: Callable[[int], InvalidInput],
) -> list[Recommendation | InvalidInput]:
    """One answer a prompt; `why_not` makes the error of a prompt that no arm fits."""
    n_others = min(N_ALTERNATIVES + 1, decisions.ranking.shape[1])
    others = np.argpartition(-decisions.ranking, n_others - 1, axis=1)[:, :n_others]
    tokens = os.urandom(16 * len(prompts)).hex()
    out: list[Recommendation | InvalidInput] = []
    for row, prompt in enumerate(prompts):
        if not decisions.feasible[row]:
            out.append(why_not(row))
            continue
        arm = int(decisions.arm[row])
        ranked = sorted(others[row].tolist(), key=lambda j, row=row: -decisions.ranking[row, j])
        alternatives = tuple(
            quick(Alternative, arm=forecasts.arms[j], forecast=forecasts.at(row, j))
            for j in [j for j in ranked if j != arm and decisions.ranking[row, j] > -np.inf][:N_ALTERNATIVES]
        )
        forecast = forecasts.at(row, arm)
        out.append(
            quick(
                Recommendation,
                recommendation_id=tokens[32 * row : 32 * row + 32],
                prompt_id=prompt.id,
                budget=budget,
                arm=forecasts.arms[arm],
                forecast=forecast,
                difficulty=_difficulty(belief, row),
                alternatives=alternatives,
                reason=_reason(decisions, row, forecast.accuracy, target_accuracy),
                declined=bool(decisions.declined[row]),
                target_accuracy=target_accuracy,
                policy_id=policy_id,
                propensity=float(decisions.propensity[row]),
            )
        )
    return out


def _difficulty(belief: Belief, row: int) -> Difficulty:
    bins = belief.bins[row].tolist()
    return quick(
        Difficulty,
        pass_rate=float(belief.pass_rate[row]),
        bin_probabilities=tuple(bins),
        most_likely_bin=1 + max(range(len(bins)), key=bins.__getitem__),
        source=belief.source_of(row),
    )


def _reason(decisions: Decisions, row: int, accuracy: float, target: float | None) -> str:
    if decisions.forced:
        return "the arm was given by the caller"
    if decisions.declined[row]:
        why = decisions.too_thin or "the prompt is unlike those that were logged"
        return f"declined to choose by prompt ({why}): the best single arm within the budget"
    if decisions.reached is not None and target is not None:
        if decisions.reached[row]:
            return f"the cheapest arm expected to reach {target:.3g} (expected {accuracy:.3g})"
        return f"no arm within the budget is expected to reach {target:.3g}; this one comes nearest: {accuracy:.3g}"
    if decisions.price_of_cost > 0:
        return (
            f"most expected accuracy for its cost: {accuracy:.3g}, where one more point must cost less than "
            f"{0.01 / decisions.price_of_cost:.3g} {decisions.unit}"
        )
    return f"most expected accuracy within the budget: {accuracy:.3g}"
