"""The decisions of a cascade, pure: when to stop drawing, and which candidate to answer with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np

from planner.core import AgreementStop, BetaVoteStop, ScoreStop, Stop
from planner.curves.logs import Ints
from planner.errors import InvalidInput

# A score of this or more counts as a positive verdict (METHODS 1).
VERDICT = 0.5
CHOOSERS = ("majority_vote", "filter_vote", "weighted_vote", "best_of_n")


def vote_confidence(first: int, second: int) -> float:
    """Chance that the leading of two answer groups of `first` and `second` votes is the more likely answer.

    1 - I_0.5(first + 1, second + 1), a uniform prior. Source: Aggarwal et al. 2023, "Adaptive-Consistency".

    >>> vote_confidence(4, 0)
    0.96875
    """
    n = first + second + 1
    return float(sum(math.comb(n, i) for i in range(first + 1)) / 2**n)


@cache
def least_lead(confidence: float, n_votes: int) -> Ints:
    """Least votes of the first group, given those of the second (0..n_votes), that are sure enough to stop.

    `n_votes + 1` where no count up to `n_votes` is.
    """
    least = np.full(n_votes + 1, n_votes + 1, dtype=np.int32)
    first = 0
    for second in range(n_votes + 1):
        # The least lead never falls as the second group grows.
        while first <= n_votes and vote_confidence(first, second) < confidence:
            first += 1
        least[second] = first
    return least


def should_stop(stop: Stop | None, answers: Sequence[str | None], scores: Sequence[float | None]) -> bool:
    """Whether a stage ends after these candidates, all that were drawn so far, earlier stages included.

    An answer of None is a candidate without answer: it votes for nothing, but it was drawn.
    """
    match stop:
        case ScoreStop(threshold=threshold):
            return any(score is not None and score >= threshold for score in scores)
        case BetaVoteStop(confidence=confidence):
            first, second = _top_two(answers)
            return vote_confidence(first, second) >= confidence
        case AgreementStop(share=share, min_samples=least):
            return len(answers) >= least and _top_two(answers)[0] >= share * len(answers) - 1e-9
    return False


def choose(selection: str, answers: Sequence[str | None], scores: Sequence[float | None]) -> int:
    """Place of the candidate to answer with; the first drawn among equals.

    Raises InvalidInput where there is no candidate, or the selection is not known.
    """
    if not answers:
        raise InvalidInput("there is no candidate to choose from")
    known = [0.0 if score is None else float(score) for score in scores]
    match selection:
        case "first":
            return 0
        case "last":
            return len(answers) - 1
        case "best_of_n":
            return max(range(len(answers)), key=lambda i: known[i])
        case "majority_vote":
            return _vote(answers, [1.0] * len(answers))
        case "weighted_vote":
            return _vote(answers, known)
        case "filter_vote":
            kept = [
                1.0 if score >= VERDICT and answer is not None else 0.0
                for answer, score in zip(answers, known, strict=True)
            ]
            return _vote(answers, kept if any(kept) else [1.0] * len(answers))
    raise InvalidInput(f"a cascade cannot choose by {selection!r}: use one of {', '.join(CHOOSERS)}")


def _top_two(answers: Sequence[str | None]) -> tuple[int, int]:
    counts = [count for _, count in Counter(answer for answer in answers if answer is not None).most_common(2)]
    first, second, *_ = *counts, 0, 0
    return first, second


def _vote(answers: Sequence[str | None], weights: Sequence[float]) -> int:
    total: defaultdict[str, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            total[answer] += weight
    if not total:
        return 0
    winner = max(total, key=lambda answer: total[answer])
    return list(answers).index(winner)
