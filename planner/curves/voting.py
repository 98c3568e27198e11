"""What more votes do to accuracy (Chen et al. 2024), and when a vote may stop (Aggarwal et al. 2023)."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import betainc

from planner.curves.stop import vote_confidence
from planner.errors import InvalidInput

__all__ = ["accuracy", "best_calls", "shape", "vote_confidence"]

Shape = Literal["inverse_u", "decreasing", "increasing", "u"]


def shape(share_easy: float, p_easy: float, p_hard: float) -> Shape:
    """How the accuracy of a majority vote moves with the number of calls.

    `share_easy` of the prompts are answered correctly by one call with chance p_easy > 1/2, the others with
    p_hard < 1/2. Where p_easy + p_hard is 1, a rise and a fall decay alike and the larger of the two groups
    decides.

    Raises InvalidInput if a share or chance lies outside these ranges.
    Source: Chen et al. 2024, "Are More LM Calls All You Need?", theorem 2.

    >>> shape(0.6, 0.85, 0.4)
    'inverse_u'
    """
    _check(share_easy, p_easy, p_hard)
    if math.isclose(p_easy + p_hard, 1) or share_easy in {0, 1}:
        return "increasing" if share_easy > 1 - share_easy else "decreasing"
    # From one call to three the larger of the groups' gain and loss decides; at many calls the group does
    # whose single call is less sure, since its vote goes on moving longest.
    rises_first = _gain(share_easy, p_easy) > _gain(1 - share_easy, 1 - p_hard)
    if p_easy + p_hard > 1:
        return "inverse_u" if rises_first else "decreasing"
    return "increasing" if rises_first else "u"


def best_calls(share_easy: float, p_easy: float, p_hard: float) -> float:
    """Odd number of calls of the most accurate vote: 1 where accuracy falls, math.inf where it always rises.

    Raises InvalidInput for a curve that falls and then rises: compare its ends by `accuracy`.
    Source: Chen et al. 2024, theorem 4.

    >>> best_calls(0.6, 0.85, 0.4)
    5
    """
    match shape(share_easy, p_easy, p_hard):
        case "decreasing":
            return 1
        case "increasing":
            return math.inf
        case "u":
            raise InvalidInput("accuracy falls and then rises with the number of calls: compare one call with many")
    odds = share_easy * (2 * p_easy - 1) / ((1 - share_easy) * (1 - 2 * p_hard))
    calls = 2 * math.log(odds) / math.log(p_hard * (1 - p_hard) / (p_easy * (1 - p_easy)))
    return max(1, 2 * round((calls - 1) / 2) + 1)


def accuracy(share_easy: float, p_easy: float, p_hard: float, calls: int) -> float:
    """Expected accuracy of a majority vote of `calls` (odd) over both groups of prompts.

    Raises InvalidInput for an even or non-positive number of calls.

    >>> round(accuracy(0.6, 0.85, 0.4, 5), 6)
    0.711009
    """
    _check(share_easy, p_easy, p_hard)
    if calls < 1 or calls % 2 == 0:
        raise InvalidInput(f"calls must be odd and at least 1, got {calls}: an even vote may tie")
    half = (calls + 1) / 2
    return float(share_easy * betainc(half, half, p_easy) + (1 - share_easy) * betainc(half, half, p_hard))


def _gain(share: float, p: float) -> float:
    """Gain (up to a factor) of three calls over one where a call is right with chance p."""
    return share * p * (1 - p) * (p - 0.5)


def _check(share_easy: float, p_easy: float, p_hard: float) -> None:
    if not (0 <= share_easy <= 1 and 0.5 < p_easy <= 1 and 0 <= p_hard < 0.5):
        raise InvalidInput(
            f"need share_easy in 0..1, p_easy above 1/2 and p_hard below 1/2, got {share_easy}, {p_easy} and {p_hard}"
        )
