"""Bringing a verifier's scores into 0..1 where they are logged on another scale (logits, 0..100, 1..5)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.core.batch import Batch, ScoreScale

# A share that float32 rounds just past its bound is still a share.
_ROUNDING = 1e-6
_MIN_OF_EACH = 10
_RIDGE = 1e-3
_STEPS = 50


def fit_scale(scores: NDArray[np.float64], correct: NDArray[np.float64]) -> ScoreScale:
    """Logistic of the scores: fitted on the grades (NaN where there is none), else on the scores' mean and spread.

    A slope that is not rising (few grades, or a verifier that is wrong more often than right) is not used: order of
    scores is what selections need, and it is kept.
    """
    if len(scores) == 0:
        return ScoreScale(1.0, 0.0, "scores")
    mean, spread = float(scores.mean()), float(scores.std()) or 1.0
    graded = ~np.isnan(correct)
    right = float(correct[graded].sum())
    if min(right, graded.sum() - right) >= _MIN_OF_EACH:
        slope, intercept = _logistic((scores[graded] - mean) / spread, correct[graded])
        if slope > 0 and math.isfinite(slope) and math.isfinite(intercept):
            return ScoreScale(slope / spread, intercept - slope * mean / spread, "grades")
    return ScoreScale(1 / spread, -mean / spread, "scores")


def scaled(scale: ScoreScale, score: float) -> float:
    """The score in 0..1.

    >>> scaled(ScoreScale(1.0, 0.0, "scores"), 0.0)
    0.5
    """
    value = scale.slope * score + scale.intercept
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(min(value, 700)))


def verifiers_of(batch: Batch) -> list[str | None]:
    """Verifier of every sample: its own, else its run's."""
    of_runs = batch.runs.verifier
    rows = zip(batch.samples.run, batch.samples.verifier, strict=True)
    return [of_runs[run] if own is None else own for run, own in rows]


def out_of_range(batch: Batch) -> set[tuple[int, str | None]]:
    """Runs with a score outside 0..1, each with the verifier that gave it."""
    columns = (batch.samples.score, batch.samples.score_min)
    if not any(_outside(column) for column in columns) and not any(batch.samples.step_scores):
        return set()
    rows = zip(batch.samples.run, verifiers_of(batch), *columns, batch.samples.step_scores, strict=True)
    return {
        (run, verifier)
        for run, verifier, score, least, steps in rows
        if any(not -_ROUNDING <= one <= 1 + _ROUNDING for one in (score or 0, least or 0, *(steps or ())))
    }


def apply_scales(batch: Batch, scales: Mapping[str, ScoreScale]) -> set[str]:
    """Replace the scores of the verifiers that have a scale, and name those; all others are held to 0..1.

    Scores without a scale lie in 0..1 but for rounding (`out_of_range`), which is cut off.
    """
    samples = batch.samples
    used = set()
    for place, verifier in enumerate(verifiers_of(batch) if scales else ()):
        scale = scales.get(verifier or "")
        if scale is None or verifier is None:
            continue
        used.add(verifier)
        for column in (samples.score, samples.score_min):
            score = column[place]
            if score is not None:
                column[place] = scaled(scale, score)
        steps = samples.step_scores[place]
        if steps is not None:
            samples.step_scores[place] = tuple(scaled(scale, step) for step in steps)
    for name in ("score", "score_min"):
        column = getattr(samples, name)
        if _outside(column, rounding=0):
            setattr(samples, name, [None if one is None else min(max(one, 0.0), 1.0) for one in column])
    return used


def _outside(column: list[float | None], *, rounding: float = _ROUNDING) -> bool:
    values = np.array(column, dtype=np.float64)
    return bool(((values < -rounding) | (values > 1 + rounding)).any())


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept by Newton's method, with a little ridge: separable grades have no finite optimum."""
    design = np.column_stack([x, np.ones_like(x)])
    weights = np.zeros(2)
    ridge = np.diag([_RIDGE * len(x), 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (y - p) - ridge @ weights
        curvature = (design * (p * (1 - p) + 1e-9)[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])
