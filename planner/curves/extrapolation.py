"""pass@k past the logged samples: a (zero-inflated) beta-binomial fitted to counts by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit

from planner.curves.exact import pass_at_k
from planner.errors import InvalidInput

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class BetaBinomial:
    """Pass rates over prompts: 0 with chance `never` (no sample will ever be correct), else Beta(a, b).

    `log_likelihood` is that of the counts which it was fitted to, without their binomial coefficients.
    """

    a: float
    b: float
    never: float = 0.0
    log_likelihood: float = math.nan

    def pass_at_k(self, k: int) -> float:
        """Mean pass@k over prompts like those fitted to."""
        return (1 - self.never) * beta_binomial_pass_at_k(self.a, self.b, k)

    def given(self, n_samples: int, n_correct: int, k: int) -> float:
        """Chance that one of `k` new samples is correct where `n_correct` of `n_samples` have been."""
        later = beta_binomial_pass_at_k(self.a + n_correct, self.b + n_samples - n_correct, k)
        if n_correct:
            return later
        silent = (
            (1 - self.never) * (1 - beta_binomial_pass_at_k(self.a, self.b, n_samples)) if n_samples else 1 - self.never
        )
        return later * silent / (self.never + silent)


@dataclass(frozen=True)
class PassAtK:
    """Mean pass@k over prompts; `extrapolated` where k lies past the samples of some of them."""

    k: int
    value: float
    extrapolated: bool


def beta_binomial_pass_at_k(a: float, b: float, k: int) -> float:
    """pass@k where the pass rate of a prompt is drawn from Beta(a, b): 1 - B(a, b + k) / B(a, b).

    Raises InvalidInput unless a and b are above 0 and k at least 0.

    >>> round(beta_binomial_pass_at_k(0.2, 2, 10), 6)
    0.325182
    """
    if not (a > 0 and b > 0 and k >= 0):
        raise InvalidInput(f"need a > 0, b > 0 and k >= 0, got {a}, {b} and {k}")
    return -math.expm1(math.lgamma(b + k) - math.lgamma(a + b + k) - math.lgamma(b) + math.lgamma(a + b))


def fit_beta_binomial(
    n_samples: Sequence[int] | NDArray[np.integer],
    n_correct: Sequence[int] | NDArray[np.integer],
    *,
    zero_inflated: bool = False,
) -> BetaBinomial:
    """Maximum-likelihood fit to one pair of counts a prompt, which may differ in their number of samples.

    `zero_inflated` also fits the share of prompts that no sample ever solves. Prompts without samples say
    nothing.
    Raises InvalidInput where the lists differ in length, hold no sample, or a count lies outside
    0..n_samples.
    Source: Kazdan et al. 2025, arXiv 2510.05197.
    """
    n, c = np.asarray(n_samples, dtype=np.float64), np.asarray(n_correct, dtype=np.float64)
    if n.shape != c.shape or n.ndim != 1 or ((c < 0) | (c > n)).any() or not n.any():
        raise InvalidInput(
            "need two equally long lists of counts, n_correct within 0..n_samples, with at least one sample"
        )
    pairs, times = np.unique(np.stack([n, c])[:, n > 0], axis=1, return_counts=True)
    start = _start(pairs, times)
    fitted = _maximise(pairs, times, start, zero_inflated=False)
    if not zero_inflated:
        return fitted
    inflated = _maximise(pairs, times, np.array([*start, 0.0]), zero_inflated=True)
    # The plain model is the inflated one's edge: where the search ends below it, the edge is the maximum.
    return max(fitted, inflated, key=lambda model: model.log_likelihood)


def extrapolate_pass_at_k(
    n_samples: Sequence[int] | NDArray[np.integer],
    n_correct: Sequence[int] | NDArray[np.integer],
    k: int,
    *,
    zero_inflated: bool = True,
) -> PassAtK:
    """Mean pass@k over prompts: exact where k lies within all prompts' samples, else fitted, and marked so.

    Raises InvalidInput as `fit_beta_binomial` does, and for k below 1.
    """
    if k < 1:
        raise InvalidInput(f"k must be at least 1, got {k}")
    model = fit_beta_binomial(n_samples, n_correct, zero_inflated=zero_inflated)
    counts = [(int(n), int(c)) for n, c in zip(n_samples, n_correct, strict=True) if n > 0]
    if all(n >= k for n, _ in counts):
        return PassAtK(k, float(np.mean([pass_at_k(n, c, k) for n, c in counts])), extrapolated=False)
    return PassAtK(k, model.pass_at_k(k), extrapolated=True)


def _start(pairs: Doubles, times: NDArray[np.int64]) -> Doubles:
    """Log mean-odds and log concentration to begin with: the mean pass rate, and a beta of medium width."""
    rate = float((pairs[1] * times).sum() + 0.5) / float((pairs[0] * times).sum() + 1)
    return np.array([math.log(rate / (1 - rate)), 0.0])


def _maximise(pairs: Doubles, times: NDArray[np.int64], start: Doubles, *, zero_inflated: bool) -> BetaBinomial:
    n, c = pairs

    def unpack(point: Doubles) -> tuple[float, float, float]:
        mean, size = float(expit(point[0])), math.exp(point[1])
        return mean * size, (1 - mean) * size, float(expit(point[2])) if zero_inflated else 0.0

    def loss(point: Doubles) -> float:
        a, b, never = unpack(point)
        log = betaln(a + c, b + n - c) - betaln(a, b)
        if zero_inflated:
            log = np.where(c == 0, np.logaddexp(math.log(never), math.log1p(-never) + log), math.log1p(-never) + log)
        return -float((log * times).sum())

    # Bounds keep away from the degenerate ends: all prompts alike, or each of them always or never solved.
    bounds = [(-12.0, 12.0), (-8.0, 8.0), (-12.0, 12.0)][: len(start)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return BetaBinomial(*unpack(found.x), log_likelihood=-float(found.fun))
