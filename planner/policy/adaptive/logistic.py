"""Logistic regression with a ridge, by Newton's method: few coefficients that may be kept as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

STEPS = 25
CLOSE = 1e-8


@dataclass(frozen=True)
class Logistic:
    """logit = intercept + x . weights, x in the units of its features; weights (F,)."""

    weights: Doubles
    intercept: float

    @classmethod
    def fit(cls, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], *, ridge: float) -> Logistic:
        """From features (R, F) and outcomes (R,) in 0..1; `ridge` weighs standardised coefficients as so many rows."""
        x = np.asarray(x, dtype=np.float64)
        mean, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        design = np.concatenate([np.ones((len(x), 1)), (x - mean) / spread], axis=1)
        penalty = np.full(design.shape[1], ridge, dtype=np.float64)
        penalty[0] = 1e-6 * max(len(x), 1)
        beta = np.zeros(design.shape[1])
        for _ in range(STEPS):
            p = sigmoid(design @ beta)
            weight = np.maximum(p * (1 - p), 1e-6)
            gradient = design.T @ (y - p) - penalty * beta
            information = (design * weight[:, None]).T @ design + np.diag(penalty)
            step = np.linalg.solve(information, gradient)
            # A long step from far away may overshoot; four logits at once is as far as a linearisation goes.
            step *= min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))
            beta += step
            if np.abs(step).max() < CLOSE:
                break
        weights = beta[1:] / spread
        return cls(weights, float(beta[0] - weights @ mean))


def sigmoid(logit: NDArray[np.floating[Any]]) -> Doubles:
    """From log odds to a probability."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logit, dtype=np.float64))))
