"""Decisions put into words: Recommendation objects, built unchecked since every field is our own."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.budget import Forecasts
from planner.core import Alternative, Budget, Difficulty, Forecast, Recommendation, Unit
from planner.curves.logs import Floats
from planner.difficulty import SOURCES, Belief
from planner.errors import InvalidInput
from planner.policy.choose import Indices, leading
from planner.policy.prompt import PromptInput
from planner.policy.restrict import Mask

N_ALTERNATIVES = 2
MANY = 200
"""Prompts from which on it pays to spare them what only costs them."""
GIVEN = "the arm was given by the caller"
"""How the reason of such an arm begins."""


class Decisions(NamedTuple):
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


def recommendations(
    prompts: Sequence[PromptInput],
    belief: Belief,
    forecasts: Forecasts,
    decisions: Decisions,
    budget: Budget | None,
    target_accuracy: float | None,
    policy_id: str,
    why_not: Callable[[int], InvalidInput],
    *,
    total: str | None = None,
) -> list[Recommendation | InvalidInput]:
    """One answer a prompt; `why_not` makes the error of a prompt that no arm fits.

    total: in words, what all prompts together may take.
    """
    limit = total or ("the budget" if budget is not None and not budget.is_empty else None)
    shown, feasible = _shown(decisions), decisions.feasible.tolist()
    rows = [row for row, fits in enumerate(feasible) if fits]
    pairs = [row for row, arms in zip(rows, shown, strict=True) for _ in arms], [arm for arms in shown for arm in arms]
    made = iter(forecasts.at_pairs(*pairs))
    arms_of = iter(shown)
    # Ids rise with time: an index takes them at its end, where random ones would touch a page each.
    moment, tokens = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10 * len(prompts)).hex()
    propensity, declined = decisions.propensity.tolist(), decisions.declined.tolist()
    difficulties = _difficulties(belief)
    out: list[Recommendation | InvalidInput] = []
    for row, prompt in enumerate(prompts):
        if not feasible[row]:
            out.append(why_not(row))
            continue
        arm, *others = next(arms_of)
        forecast = next(made)
        out.append(
            Recommendation.trusted(
                {
                    "recommendation_id": moment + tokens[20 * row : 20 * row + 20],
                    "prompt_id": prompt.id,
                    "budget": budget,
                    "arm": forecasts.arms[arm],
                    "forecast": forecast,
                    "difficulty": difficulties[row],
                    "alternatives": tuple(
                        [Alternative.trusted({"arm": forecasts.arms[j], "forecast": next(made)}) for j in others]
                    ),
                    "reason": given(forecast, budget, target_accuracy)
                    if decisions.forced
                    else _reason(decisions, row, forecast.accuracy, target_accuracy, limit),
                    "declined": declined[row],
                    "target_accuracy": target_accuracy,
                    "policy_id": policy_id,
                    "propensity": propensity[row],
                }
            )
        )
    return out


def in_bulk(n_prompts: int) -> AbstractContextManager[None]:
    """Spare many prompts what only costs them: looks for cycles among their answers, and threads for small matrices."""
    return _in_bulk() if n_prompts >= MANY else nullcontext()


@contextmanager
def _in_bulk() -> Iterator[None]:
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - no part of a single recommendation

    collecting = gc.isenabled()
    gc.disable()
    try:
        # Threads that wait for the next of our small products take a core from whoever has work for it.
        with threadpool_limits(1):
            yield
    finally:
        if gc.get_freeze_count() == 0:  # what the caller has frozen stays so
            # To the oldest generation at once: answers hold no cycles, and to find that out takes longer than to make
            # them.
            gc.freeze()
            gc.unfreeze()
        if collecting:
            gc.enable()


def _shown(decisions: Decisions) -> list[list[int]]:
    """For each feasible prompt its arm, then the runners-up, the best first."""
    ranking, arm = decisions.ranking, decisions.arm
    if np.count_nonzero(decisions.feasible) < len(arm):
        ranking, arm = ranking[decisions.feasible], arm[decisions.feasible]
    best = leading(ranking, N_ALTERNATIVES + 1)
    return [
        [chosen, *[arm for arm in row if arm != chosen][:N_ALTERNATIVES]]
        for chosen, row in zip(arm.tolist(), best, strict=True)
    ]


def _difficulties(belief: Belief) -> list[Difficulty]:
    columns = belief.pass_rate.tolist(), belief.bins.tolist(), belief.source.tolist()
    return [
        Difficulty.trusted(
            {
                "pass_rate": rate,
                "bin_probabilities": tuple(bins),
                "most_likely_bin": 1 + bins.index(max(bins)),
                "source": SOURCES[source],
            }
        )
        for rate, bins, source in zip(*columns, strict=True)
    ]


def given(forecast: Forecast, budget: Budget | None, target_accuracy: float | None) -> str:
    """The reason of an arm that the caller named: what was asked for beside it may not be met."""
    reason = GIVEN
    if budget is not None and not forecast.cost_worst.fits(budget):
        reason += ", and may take more than the budget"
    if target_accuracy is not None and forecast.accuracy < target_accuracy:
        reason += f", and is not expected to reach {target_accuracy:g}"
    return reason


def _reason(decisions: Decisions, row: int, accuracy: float, target: float | None, limit: str | None) -> str:
    within = f" within {limit}" if limit else ""
    one, declined = "arm", ""
    if decisions.declined[row]:
        why = decisions.too_thin or "the prompt is unlike those that were logged"
        one, declined = "single arm", f"declined to choose by prompt ({why}): "
    if decisions.reached is not None and target is not None:
        if decisions.reached[row]:
            return f"{declined}the cheapest {one} expected to reach {target:g} (expected {accuracy:.3g})"
        return f"{declined}no {one}{within} is expected to reach {target:g}; this one comes nearest: {accuracy:.3g}"
    if declined:
        return f"{declined}the best single arm{within}"
    if decisions.price_of_cost > 0:
        return (
            f"most expected accuracy for its cost: {accuracy:.3g}, where one more point must cost less than "
            f"{0.01 / decisions.price_of_cost:.3g} {decisions.unit}"
        )
    return f"most expected accuracy{within}: {accuracy:.3g}"
