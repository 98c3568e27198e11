"""How likely each answer drawn so far is right: the evidence of single samples, pooled over equal answers.

Sample by sample a logistic regression turns scores into log odds; answer by answer another pools them: the best of its
samples, how many there are, which generators gave it, and what speaks for the other answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.policy.adaptive.logistic import Doubles, Logistic, sigmoid

Ints = NDArray[np.integer[Any]]
EDGE = 1e-4
"""Scores are taken for no surer than this."""
NOTHING = -9.0


@dataclass(frozen=True)
class Drawn:
    """Draws of N prompts (or replays of them), S each.

    answer: (N, S) codes, equal ones agree; below 0 for none. Codes are below `n_answers`.
    score, score_min: (N, S) in 0..1, NaN where unknown. pool: (S,). revised: (S,) whether an attempt after the first.
    """

    answer: Ints
    score: NDArray[np.floating[Any]]
    score_min: NDArray[np.floating[Any]]
    pool: Ints
    revised: NDArray[np.bool_]
    n_answers: int


@dataclass(frozen=True)
class Evidence:
    """Log odds that a sample is right, from its scores and where it comes from; for K pools."""

    model: Logistic
    n_pools: int

    @classmethod
    def fit(cls, drawn: Drawn, correct: NDArray[np.floating[Any]], n_pools: int, *, ridge: float) -> Evidence:
        """From samples whose correctness (N, S) is known."""
        design = cls._design(drawn, n_pools)
        return cls(Logistic.fit(design.reshape(-1, design.shape[-1]), correct.ravel(), ridge=ridge), n_pools)

    def of(self, drawn: Drawn) -> Doubles:
        """(N, S) log odds."""
        design = self._design(drawn, self.n_pools)
        return np.asarray(design @ self.model.weights.astype(np.float32) + np.float32(self.model.intercept))

    @staticmethod
    def _design(drawn: Drawn, n_pools: int) -> NDArray[np.float32]:
        last, least = log_odds(drawn.score), log_odds(drawn.score_min)
        least = np.where(np.isnan(least), last, least)
        known = ~np.isnan(last)
        shape = (*drawn.answer.shape, 3 + 4 * n_pools)
        design = np.zeros(shape, dtype=np.float32)
        last, least = np.where(known, last, 0), np.where(known, least, 0)
        design[..., 0], design[..., 1], design[..., 2] = known, np.minimum(last, 0), drawn.answer >= 0
        for slot, (pool, revised) in enumerate(zip(drawn.pool.tolist(), drawn.revised.tolist(), strict=True)):
            at = 3 + 4 * pool
            design[:, slot, at : at + 4] = np.stack(
                [np.ones(len(last)), np.full(len(last), float(revised)), last[:, slot], least[:, slot]], axis=1
            )
        return design


def log_odds(score: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Of scores, kept away from 0 and 1; NaN stays."""
    kept = np.clip(np.asarray(score, dtype=np.float32), EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)), dtype=np.float32)


@dataclass(frozen=True)
class Posterior:
    """The most likely answer of each row: its code (-1 for none) and the chance that it is right; (N,) each."""

    answer: Ints
    chance: Doubles


@dataclass(frozen=True)
class AnswerModel:
    """From draws to the chance that each answer is right."""

    evidence: Evidence
    pooled: Logistic

    def posterior(self, drawn: Drawn, evidence: Doubles | None = None) -> Posterior:
        """The best answer of each row; `evidence` of the draws where it is at hand already."""
        features, there = group_features(
            drawn, self.evidence.of(drawn) if evidence is None else evidence, self.evidence.n_pools
        )
        logit = np.full(there.shape, self.pooled.intercept)
        for weight, feature in zip(self.pooled.weights.tolist(), features, strict=True):
            logit += weight * feature
        logit = np.where(there, logit, -np.inf)
        best = logit.argmax(axis=1)
        top = logit[np.arange(len(best)), best]
        return Posterior(np.where(np.isfinite(top), best, -1), sigmoid(top))


def group_features(
    drawn: Drawn, evidence: NDArray[np.floating[Any]], n_pools: int
) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
    """Features of every answer, (N, n_answers) each, and which answers are there."""
    rows = np.arange(len(drawn.answer))
    shape = (len(rows), drawn.n_answers)
    best, least = np.full(shape, NOTHING, np.float32), np.full(shape, NOTHING, np.float32)
    count, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    by_pool = np.zeros((n_pools + 1, *shape), np.float32)
    low = log_odds(drawn.score_min)
    low = np.where(np.isnan(low), log_odds(drawn.score), low)
    low = np.where(np.isnan(low), np.float32(0), low)
    for slot, (pool, revised) in enumerate(zip(drawn.pool.tolist(), drawn.revised.tolist(), strict=True)):
        answered = drawn.answer[:, slot] >= 0
        at = (rows[answered], drawn.answer[answered, slot])
        own = evidence[answered, slot]
        best[at] = np.maximum(best[at], own)
        least[at] = np.maximum(least[at], low[answered, slot])
        count[at] += 1
        weight[at] += np.logaddexp(0, own)
        by_pool[pool][at] += 1
        if revised:
            by_pool[n_pools][at] += 1
    there = count > 0
    n = np.maximum(count.sum(axis=1, keepdims=True), 1)
    others = n - count
    rivals = (others > 0) & there
    features = [
        best,
        least,
        np.log1p(count),
        np.log1p(weight),
        count / drawn.answer.shape[1],
        rivals,
        np.where(rivals, _of_others(best), 0),
        np.where(rivals, _of_others(least), 0),
        np.log1p(others),
        np.log1p(np.where(rivals, _of_others(count), 0)),
        np.log1p(np.maximum(weight.sum(axis=1, keepdims=True) - weight, 0)),
        best * np.log1p(count),
    ]
    for own in by_pool[1:]:
        features += [own > 0, (own.sum(axis=1, keepdims=True) - own) > 0]
    return features, there


def _of_others(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each answer the greatest value among the others."""
    if values.shape[1] < 2:
        return np.full_like(values, NOTHING)
    top = values.argmax(axis=1)[:, None]
    greatest = np.take_along_axis(values, top, axis=1)
    rest = values.copy()
    np.put_along_axis(rest, top, -np.inf, axis=1)
    return np.where(np.arange(values.shape[1]) == top, rest.max(axis=1, keepdims=True), greatest)


def fit_answers(
    evidence: Evidence,
    states: Sequence[Drawn],
    correct: Sequence[NDArray[np.floating[Any]]],
    *,
    ridge: float,
) -> AnswerModel:
    """Learn to pool from states of any kind; `correct` (N, n_answers) of each state, NaN for answers not there."""
    rows, outcomes = [], []
    for state, right in zip(states, correct, strict=True):
        features, there = group_features(state, evidence.of(state), evidence.n_pools)
        rows.append(np.stack([np.broadcast_to(f, there.shape)[there] for f in features], axis=1))
        outcomes.append(right[there])
    return AnswerModel(evidence, Logistic.fit(np.concatenate(rows), np.concatenate(outcomes), ridge=ridge))
