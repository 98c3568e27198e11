"""Exact averages over every subset of one prompt's samples (U-statistics, METHODS.md 3)."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from operator import index

import numpy as np
from numpy.typing import NDArray

from planner.curves.plurality import plurality
from planner.errors import InvalidInput

Doubles = NDArray[np.float64]


def pass_at_k(n_samples: int, n_correct: int, k: int) -> float:
    """Chance that one of `k` of the `n_samples` samples, drawn without replacement, is correct.

    Raises InvalidInput unless all are whole numbers, and if k > n_samples: past the log there is only extrapolation
    (`extrapolate_pass_at_k`).
    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", eq. 1.

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    _check_whole(n_samples=n_samples, n_correct=n_correct)
    if not 0 <= n_correct <= n_samples:
        raise InvalidInput(f"n_correct must lie in 0..n_samples={n_samples}, got {n_correct}")
    _check_budget(k, n_samples)
    return 1 - comb(n_samples - n_correct, k) / comb(n_samples, k)


def best_of_n(scores: Sequence[float], correct: Sequence[float], k: int) -> float:
    """Expected correctness of the best-scored of `k` samples; among equal scores one is taken at random.

    Raises InvalidInput if k exceeds the number of samples, lengths differ, or a value is NaN.

    >>> round(best_of_n([0.9, 0.9, 0.5, 0.1], [1, 0, 1, 0], 2), 6)
    0.583333
    """
    score, value = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if score.ndim != 1 or score.shape != value.shape:
        raise InvalidInput(f"scores and correct must be equally long lists, got {score.shape} and {value.shape}")
    if np.isnan(score).any() or np.isnan(value).any():
        raise InvalidInput("scores and correct must hold no NaN: leave samples without a score or grade out")
    _check_budget(k, len(score))
    return float(best_of_each(score[None], value[None], np.array([k]))[0, 0])


def majority_vote(group_counts: Sequence[int], k: int) -> float:
    """Chance that the correct answer, whose count comes first, wins the vote of `k` of the samples.

    A tie among t answers counts 1/t. Raises InvalidInput if k exceeds the number of samples or a count is
    negative.

    >>> round(majority_vote([4, 3, 3], 3), 6)
    0.433333
    """
    counts = np.asarray(group_counts)
    if counts.ndim != 1 or len(counts) == 0 or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InvalidInput("group_counts must be a list of whole counts of 0 or more, the correct group's first")
    counts = counts.astype(np.int64)
    _check_budget(k, int(counts.sum()))
    values = np.zeros((1, len(counts)))
    values[0, 0] = 1
    return float(plurality(counts[None], values, np.zeros(1, np.int64), np.zeros(1), k)[0])


def top_weights(n: int, k: int) -> Doubles:
    """Chance of each of `n` items, in ascending order, to be the greatest of a random `k`; shape (n,)."""
    # C(i-1, k-1) / C(n, k) by the ratio of neighbours, since the binomials themselves overflow past n = 1,029
    i = np.arange(n - 1, 0, -1, dtype=np.float64)
    return (k / n * np.concatenate([[1.0], np.cumprod(np.maximum(i - k + 1, 0) / i)]))[::-1]


def expected_greatest(values: Doubles, budgets: NDArray[np.integer]) -> Doubles:
    """Expected greatest of k of each row's values: (rows, n) and (budgets,) to (rows, budgets).

    With correctness as value this is pass@k.
    """
    weights = np.stack([top_weights(values.shape[1], int(k)) for k in budgets], axis=1)
    return np.asarray(np.sort(values, axis=1) @ weights)


def best_of_each(scores: Doubles, correct: Doubles, budgets: NDArray[np.integer]) -> Doubles:
    """`best_of_n` of every row at every budget: (rows, n), (rows, n), (budgets,) to (rows, budgets)."""
    rows, n = scores.shape
    order = np.argsort(scores, axis=1, kind="stable")
    ranked, value = np.take_along_axis(scores, order, 1), np.take_along_axis(correct, order, 1)
    # Equal scores form a block; each of its members counts with the block's mean correctness.
    starts = np.ones((rows, n), dtype=bool)
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    block = np.cumsum(starts.ravel()) - 1
    mean = np.bincount(block, weights=value.ravel()) / np.bincount(block)
    weights = np.stack([top_weights(n, int(k)) for k in budgets], axis=1)
    return np.asarray(mean[block].reshape(rows, n) @ weights)


def _check_whole(**values: object) -> None:
    for name, value in values.items():
        try:
            index(value)  # type: ignore[arg-type]  # what is no whole number is what it is asked for
        except TypeError:
            raise InvalidInput(f"{name} must be a whole number, got {value!r}") from None


def _check_budget(k: int, n: int) -> None:
    _check_whole(k=k)
    if n < 1:
        raise InvalidInput("there are no samples to choose from")
    if not 1 <= k <= n:
        raise InvalidInput(f"k must lie in 1..{n}, the samples that are logged, got {k}: past them extrapolate pass@k")
