"""How likely k ungraded samples are at each pass rate: which answer is right is unknown, so all cases are summed.

At most one group of equal answers is right. Every sample is right with the chance of the pass rate; scores differ
between right and wrong samples as they did where answers were graded; wrong answers repeat one another as often as
they did there (the partition of a Chinese restaurant process, Pitman 2006, chapter 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import SampleTable
from planner.difficulty.bins import RATES
from planner.difficulty.latent import Doubles

_LEAST_SCORE = 0.01
_USUAL_REPEAT = 0.3  # chance that two wrong answers are the same, before any are seen
_USUAL_PROMPTS = 2.0
_MOST_PAIRED = 8  # a prompt with more wrong samples says no more of others
_RIDGE = 1e-2
_ROUNDS = 30


@dataclass(frozen=True)
class ProbeModel:
    """What tells right samples from wrong ones.

    concentration: of wrong answers; two of them are the same with chance 1 / (1 + concentration).
    intercept, slope: log odds that a score adds to a sample's being right, over the logit of the score.
    """

    concentration: float
    intercept: float
    slope: float

    def log_likelihood(self, answers: NDArray[np.int64], scores: Doubles) -> Doubles:
        """By pass rate, up to a constant a draw; (R, len(RATES)).

        answers: (R, k) codes, equal iff the answers are, negative for none. scores: (R, k), NaN for none.
        """
        n_draws, k = answers.shape
        same = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
        size = same.sum(axis=2)
        # A group stands where its first sample stands.
        leads = (same.argmax(axis=2) == np.arange(k)) & (answers >= 0)
        odds = np.where(np.isfinite(scores), self.intercept + self.slope * score_logits(scores), 0.0)
        of_group = np.einsum("rij,rj->ri", same, odds)
        log_factorial = np.concatenate([[0.0, 0.0], np.cumsum(np.log(np.arange(1, max(k, 2))))])
        rising = np.concatenate([[0.0], np.cumsum(np.log(self.concentration + np.arange(k)))])
        own = log_factorial[size]
        all_groups = np.where(leads, own + np.log(self.concentration), 0.0).sum(axis=1)[:, None]
        spoken = (answers >= 0).sum(axis=1)[:, None]
        others = all_groups - own - np.log(self.concentration) - rising[np.maximum(spoken - size, 0)]
        cases = np.concatenate([all_groups - rising[spoken], np.where(leads, others + of_group, -np.inf)], axis=1)
        n_right = np.concatenate([np.zeros((n_draws, 1)), size], axis=1)[:, :, None]
        joint = cases[:, :, None] + n_right * np.log(RATES) + (k - n_right) * np.log1p(-RATES)
        height = joint.max(axis=1)
        return np.asarray(height + np.log(np.exp(joint - height[:, None]).sum(axis=1)))

    def by_bin(self, answers: NDArray[np.int64], scores: Doubles, rates: Doubles) -> Doubles:
        """Log likelihood by bin, (R, B), up to a constant a draw; rates: (B, len(RATES)) pass rates of each bin."""
        return _by_bin(self.log_likelihood(answers, scores), rates)

    def by_bin_of_scores(self, scores: Doubles, rates: Doubles) -> Doubles:
        """The same of samples whose answers are unknown, from what each score says by itself."""
        odds = self.intercept + self.slope * score_logits(scores)
        each = np.log(np.exp(odds)[:, :, None] * RATES + (1.0 - RATES))
        return _by_bin(each.sum(axis=1), rates)


def _by_bin(log_likelihood: Doubles, rates: Doubles) -> Doubles:
    """Log likelihood by bin, (R, B), from that by pass rate, (R, len(RATES))."""
    height = log_likelihood.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.maximum(np.exp(log_likelihood - height) @ rates.T, 1e-300)))


def fit_probe_model(samples: SampleTable, rows: NDArray[np.intp]) -> ProbeModel:
    """From the graded ones among the samples at `rows`, all of one pool."""
    graded = rows[np.isfinite(samples.correct[rows])]
    correct = samples.correct[graded].astype(np.float64)
    wrong = graded[(correct < 0.5) & (samples.answer[graded] >= 0)]
    repeat = _repeats(samples.prompt[wrong], samples.answer[wrong])
    score = samples.score[graded].astype(np.float64)
    scored = np.isfinite(score)
    intercept, slope = _logistic(score_logits(score[scored]), correct[scored])
    return ProbeModel((1.0 - repeat) / repeat, intercept, slope)


def score_logits(scores: Doubles) -> Doubles:
    """Log odds of scores in 0..1, kept away from both ends; NaN as one half."""
    kept = np.clip(np.where(np.isfinite(scores), scores, 0.5), _LEAST_SCORE, 1.0 - _LEAST_SCORE)
    return np.asarray(np.log(kept / (1.0 - kept)))


def _repeats(prompt: NDArray[np.int32], answer: NDArray[np.int32]) -> float:
    """Chance that two wrong answers to one prompt are the same, shrunken to the usual."""
    pairs, count = np.unique(np.stack([prompt, answer], axis=1), axis=0, return_counts=True)
    _, place = np.unique(pairs[:, 0], return_inverse=True)
    total, same = np.bincount(place, count), np.bincount(place, count * (count - 1.0))
    weight = np.clip(total - 1.0, 0.0, _MOST_PAIRED - 1.0)
    share = same / np.maximum(total * (total - 1.0), 1.0)
    mean = (weight @ share + _USUAL_PROMPTS * _USUAL_REPEAT) / (weight.sum() + _USUAL_PROMPTS)
    return float(np.clip(mean, 0.01, 0.95))


def _logistic(x: Doubles, correct: Doubles) -> tuple[float, float]:
    """Intercept and slope of the log odds of being right that x adds to those of the mean; 0, 0 without both kinds."""
    mean = correct.mean() if len(correct) else 0.0
    if not 0.0 < mean < 1.0:
        return 0.0, 0.0
    design, weights = np.stack([np.ones_like(x), x], axis=1), np.zeros(2)
    for _ in range(_ROUNDS):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        gradient = design.T @ (correct - p) - _RIDGE * weights
        step = np.linalg.solve((design * (p * (1.0 - p))[:, None]).T @ design + _RIDGE * np.eye(2), gradient)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0] - np.log(mean / (1.0 - mean))), float(weights[1])
