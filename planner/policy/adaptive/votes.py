"""Plans of a plain vote: samples of one generator without a verifier, until the Beta rule is sure (METHODS 5).

A threshold a draw is more than a few hundred prompts can tell where single votes say little; one confidence for all of
them is what Adaptive-Consistency has, chosen here by what it gives and costs. Where little may be spent, votes that
give up after a few samples are better than a mixture of long ones and single samples: by a point on all of three logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.stop import least_lead
from planner.policy.adaptive.draws import Drawable
from planner.policy.adaptive.plan import Plan
from planner.policy.adaptive.seen import Seen

ANSWERED = 0.75
"""Confidence of one vote: drawing ends with the first sample that has an answer."""
SOON = 0.8
"""Confidence of two votes that agree."""
GIVEN_UP = (2, 3, 4, 5)
"""Samples after which votes give up; more such plans are more than the noise of a few hundred prompts bears."""
CONFIDENCES = (0.8, 0.9, 0.95, 0.99)
NEVER = 1.01


def is_plain_vote(pools: Sequence[Drawable]) -> bool:
    """Whether nothing but agreement of one generator's samples can be seen."""
    return len(pools) == 1 and pools[0].verifier is None and pools[0].most_attempts == 1


def vote_plans(seen: Seen) -> list[Plan]:
    """One sample, few, those of each confidence, its rule put as thresholds on the posterior, and all samples."""
    most = seen.replays.pools[0].most_chains
    sure: dict[float, list[float]] = {confidence: [] for confidence in (ANSWERED, *CONFIDENCES)}
    for n in range(1, most):
        first, second = _top_two(seen.replays.drawn.answer[:, :n], seen.replays.drawn.n_answers)
        chance = seen.at(((1,) * n,))[0]
        for confidence, thresholds in sure.items():
            thresholds.append(_parting(chance, first >= least_lead(confidence, most)[second]))
    few = [Plan((0,) * n, (*sure[SOON][: n - 1], 0.0)) for n in GIVEN_UP if n < most]
    full = [Plan((0,) * most, (*sure[confidence], 0.0)) for confidence in (ANSWERED, *CONFIDENCES)]
    return [Plan((0,), (0.0,)), full[0], *few, *full[1:], Plan((0,) * most, (*[NEVER] * (most - 1), 0.0))]


def _top_two(answer: NDArray[np.integer[Any]], n_answers: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Votes of the two largest groups, (N,) each."""
    count = np.zeros((len(answer), max(n_answers, 2)), dtype=np.intp)
    rows = np.arange(len(answer))
    for column in answer.T:
        given = column >= 0
        count[rows[given], column[given]] += 1
    top = np.partition(count, -2, axis=1)
    return top[:, -1], top[:, -2]


def _parting(chance: NDArray[np.floating[Any]], sure: NDArray[np.bool_]) -> float:
    """The threshold on `chance` that parts sure from unsure replays with the fewest mistakes."""
    if not sure.any():
        return NEVER
    order = np.argsort(chance, kind="stable")
    values, marks = chance[order], sure[order]
    # With the threshold before place i: unsure ones from i on, and sure ones before it, are mistaken.
    mistakes = np.concatenate([[0], np.cumsum(marks)]) + np.concatenate([np.cumsum((~marks)[::-1])[::-1], [0]])
    last = int(len(mistakes) - 1 - mistakes[::-1].argmin())
    if last == len(values):
        return NEVER
    return float(values[0] - 1e-6 if last == 0 else (values[last - 1] + values[last]) / 2)
