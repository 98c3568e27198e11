"""One latent difficulty a prompt from all its logged outcomes, on a grid (logistic-normal factor model, EM).

An outcome column c (a pool, or the runs of an arm) has logit accuracy a_c + b_c t on a prompt of latent ease t,
t ~ normal(0, 1). A pool with several samples a prompt has a deviation of its own, normal(0, s_c), so that its
counts are no more certain of t than they should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.evidence import Evidence

Doubles = NDArray[np.float64]

EASE = np.linspace(-3.6, 3.6, 25)
LOGITS = np.linspace(-7.0, 7.0, 57)
_STEP = float(LOGITS[1] - LOGITS[0])
_LOG_PRIOR = -0.5 * EASE**2 - np.log(np.exp(-0.5 * EASE**2).sum())
# Two runs of one arm on one prompt are not independent: each further one adds less.
_RUNS_UNTIL_HALF = 4.0
_LOADING_START = 1.5


@dataclass(frozen=True)
class Latent:
    """Fitted columns: intercept a, loading b, own deviation s (0: single outcomes, none can be told)."""

    keys: tuple[str, ...]
    intercept: Doubles
    loading: Doubles
    deviation: Doubles

    def log_likelihood(self, evidence: Evidence) -> Doubles:
        """Log likelihood of each prompt's outcomes by ease; (P, len(EASE))."""
        total = np.zeros((len(evidence.n), len(EASE)))
        for column in np.flatnonzero(self.deviation > 0):
            total += self.column_log_likelihood(evidence, int(column))
        return total + _runs_log_likelihood(self, evidence)

    def column_log_likelihood(self, evidence: Evidence, column: int) -> Doubles:
        """Log likelihood of one pool's counts by ease, over the pool's own deviation; (P, len(EASE))."""
        counts = evidence.counts(column)
        binomial, height = _binomial(counts.n, counts.correct)
        of_counts = np.log(np.maximum(binomial @ self.spread(column).T, 1e-300)) + height[:, None]
        return np.asarray(of_counts[counts.of_prompt])

    def spread(self, column: int) -> Doubles:
        """Distribution of a column's logit accuracy by ease; (len(EASE), len(LOGITS))."""
        mean = self.intercept[column] + self.loading[column] * EASE
        width = max(float(self.deviation[column]), _STEP / 2)
        mass = np.exp(-0.5 * ((LOGITS[None, :] - mean[:, None]) / width) ** 2) + 1e-12
        return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def fit_latent(evidence: Evidence, *, log_prior: Doubles | None = None, n_rounds: int = 25) -> Latent:
    """Columns by expectation and maximisation; `log_prior` (P, len(EASE)) is what is known before any outcome."""
    rates = (evidence.correct.sum(axis=0) + 1.0) / (evidence.n.sum(axis=0) + 2.0)
    several = evidence.is_pool & (evidence.n.max(axis=0) >= 2)
    latent = Latent(
        keys=evidence.keys,
        intercept=np.log(rates / (1.0 - rates)).astype(np.float64) * 1.3,
        loading=np.full(len(rates), _LOADING_START),
        deviation=np.where(several, 0.7, 0.0),
    )
    for _ in range(n_rounds):
        log_posterior = latent.log_likelihood(evidence) + (_LOG_PRIOR if log_prior is None else log_prior)
        latent = _maximise(latent, evidence, normalise(log_posterior))
    return latent


def normalise(log_weights: Doubles) -> Doubles:
    """Rows of log weights as probabilities."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def normal_log_prior(mean: Doubles, deviation: float) -> Doubles:
    """Log prior of ease by prompt, normal(mean, deviation); (P, len(EASE))."""
    log_weights = -0.5 * ((EASE[None, :] - mean[:, None]) / deviation) ** 2
    return np.asarray(np.log(np.maximum(normalise(log_weights), 1e-12)))


def marginal(log_likelihood: Doubles, log_prior: Doubles) -> float:
    """Log likelihood of all outcomes under a prior of ease."""
    joint = log_likelihood + log_prior
    height = joint.max(axis=1)
    return float((height + np.log(np.exp(joint - height[:, None]).sum(axis=1))).sum())


def _binomial(n: Floats, correct: Floats) -> tuple[Doubles, Doubles]:
    """Likelihood of counts by logit, scaled to a greatest value of 1, and the log of that scale."""
    log_likelihood = correct[:, None] * LOGITS - n[:, None] * np.logaddexp(0.0, LOGITS)
    height = log_likelihood.max(axis=1)
    return np.exp(log_likelihood - height[:, None]), height


def binomial_by_logit(n: Floats, correct: Floats) -> Doubles:
    """Likelihood of counts by logit accuracy, scaled to a greatest value of 1; (P, len(LOGITS))."""
    return _binomial(n, correct)[0]


def _discounted(n: Floats) -> Doubles:
    return np.asarray(n * (_RUNS_UNTIL_HALF + 1.0) / (_RUNS_UNTIL_HALF + np.maximum(n, 1.0)), dtype=np.float64)


def _runs(latent: Latent, evidence: Evidence) -> tuple[NDArray[np.intp], Doubles, Doubles]:
    columns = np.flatnonzero(latent.deviation <= 0)
    n = _discounted(evidence.n[:, columns])
    return columns, n, n * evidence.correct[:, columns] / np.maximum(evidence.n[:, columns], 1e-9)


def _runs_log_likelihood(latent: Latent, evidence: Evidence) -> Doubles:
    columns, n, correct = _runs(latent, evidence)
    logit = latent.intercept[columns, None] + latent.loading[columns, None] * EASE
    return np.asarray(correct @ logit - n @ np.logaddexp(0.0, logit))


def _maximise(latent: Latent, evidence: Evidence, posterior: Doubles) -> Latent:
    intercept, loading, deviation = latent.intercept.copy(), latent.loading.copy(), latent.deviation.copy()
    for column in np.flatnonzero(latent.deviation > 0):
        joint = _joint(latent, evidence, int(column), posterior)
        intercept[column], loading[column], deviation[column] = _regress(joint)
    columns, n, correct = _runs(latent, evidence)
    if len(columns):
        middle = float(np.average(loading[columns], weights=np.sqrt(n.sum(axis=0) + 1.0)))
        for _ in range(2):
            step = _newton(intercept[columns], loading[columns], posterior.T @ n, posterior.T @ correct, middle)
            intercept[columns], loading[columns] = step
    return Latent(latent.keys, intercept, loading, deviation)


def _joint(latent: Latent, evidence: Evidence, column: int, posterior: Doubles) -> Doubles:
    """Expected number of prompts by (ease, logit) of one pool, prompts with samples only."""
    counts = evidence.counts(column)
    binomial, _ = _binomial(counts.n, counts.correct)
    spread = latent.spread(column)
    scaled = np.where(counts.n[:, None] > 0, counts.total(posterior), 0) / np.maximum(binomial @ spread.T, 1e-300)
    return np.asarray((scaled.T @ binomial) * spread)


def _regress(joint: Doubles) -> tuple[float, float, float]:
    """Intercept, loading and deviation by least squares over the joint distribution, mildly regularised."""
    by_ease = joint.sum(axis=1)
    total = by_ease.sum()
    mean_ease, mean_logit = by_ease @ EASE / total, joint.sum(axis=0) @ LOGITS / total
    ease, logit = EASE - mean_ease, LOGITS - mean_logit
    covariance, variance = ease @ joint @ logit, by_ease @ ease**2
    loading = max((covariance + 2.0 * _LOADING_START) / (variance + 2.0), 0.05)
    residual = joint.sum(axis=0) @ logit**2 - 2 * loading * covariance + loading**2 * variance
    deviation = np.sqrt((max(residual, 0.0) + 2.0 * 0.5) / (total + 2.0))
    return float(mean_logit - loading * mean_ease), float(loading), float(max(deviation, 0.15))


def _newton(a: Doubles, b: Doubles, n: Doubles, correct: Doubles, middle: float) -> tuple[Doubles, Doubles]:
    """One Newton step of every single-outcome column's logistic curve; n, correct: (len(EASE), C)."""
    rate = 1.0 / (1.0 + np.exp(-(a + b * EASE[:, None])))
    gradient, curvature = correct - n * rate, n * rate * (1.0 - rate) + 1e-9
    ease = EASE[:, None]
    g_a, g_b = gradient.sum(axis=0) - 0.02 * a, (gradient * ease).sum(axis=0) - 4.0 * (b - middle)
    h_aa, h_ab = curvature.sum(axis=0) + 0.02, (curvature * ease).sum(axis=0)
    h_bb = (curvature * ease**2).sum(axis=0) + 4.0
    determinant = h_aa * h_bb - h_ab**2
    step_a, step_b = (h_bb * g_a - h_ab * g_b) / determinant, (h_aa * g_b - h_ab * g_a) / determinant
    return a + np.clip(step_a, -1.0, 1.0), np.clip(b + np.clip(step_b, -0.5, 0.5), 0.05, 6.0)
