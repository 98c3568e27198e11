"""Plans of a plain vote: samples of one generator without a verifier, until the Beta rule is sure (METHODS 5).

A threshold a draw is more than a few hundred prompts can tell where single votes say little; one confidence for all of
them is what Adaptive-Consistency has, chosen here by what it gives and costs. Where little may be spent, votes that
give up after a few samples are better than a mixture of long ones and single samples: by a point on all of three logs.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.policy.adaptive.draws import Drawable
from planner.policy.adaptive.plan import Plan

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


def vote_plans(most: int) -> list[Plan]:
    """One sample, few, those of each confidence, and all of `most` samples."""
    few = [_until(SOON, n) for n in GIVEN_UP if n < most]
    sure = [_until(confidence, most) for confidence in (*CONFIDENCES, NEVER)]
    return [_until(NEVER, 1), _until(ANSWERED, most), *few, *sure]


def _until(confidence: float, most: int) -> Plan:
    return Plan((0,) * most, (*[confidence] * (most - 1), 0.0), by_votes=True)
