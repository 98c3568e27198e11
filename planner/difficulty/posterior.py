"""Calibrated posterior over bins from the predicted logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.difficulty.latent import Doubles

_RIDGE = 4.0
_ROUNDS = 30
_TINY = 1e-6
_CELLS = 120


@dataclass(frozen=True)
class BinPosterior:
    """p(bin | logit), tabulated over z = (logit - centre) / scale between -bound and bound.

    prior: (B,) without any text. table: (cells + 1, B), rows by rising z; between two rows it is linear.
    """

    prior: Doubles
    table: Doubles
    centre: float
    scale: float
    bound: float

    def predict(self, logits: Doubles) -> Doubles:
        """Probabilities of the bins; (P, B)."""
        cells = len(self.table) - 1
        place = (logits - self.centre) * (cells / (2.0 * self.bound * self.scale)) + cells / 2.0
        place = np.minimum(np.maximum(place, 0.0), cells - 1e-9)
        row = place.astype(np.intp)
        part = (place - row)[:, None]
        return np.asarray(self.table.take(row, axis=0) * (1.0 - part) + self.table.take(row + 1, axis=0) * part)


def softmax(scores: Doubles) -> Doubles:
    """Rows of scores as probabilities."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_bin_posterior(
    logits: Doubles, membership: Doubles, expected: Callable[[Doubles], Doubles], *, informative: bool
) -> BinPosterior:
    """Tabulates p(bin | logit): what the latent model expects of a logit, corrected towards soft memberships (P, B).

    expected: logits -> (P, B). The correction is a multinomial logistic one with a penalty, so that few prompts leave
    the expectation as it is. Where the text tells nothing every row is the prior.
    """
    prior = (membership.sum(axis=0) + 0.5) / (membership.sum() + 0.5 * membership.shape[1])
    centre, scale = float(logits.mean()), float(max(logits.std(), 1e-6))
    bound = float(np.clip(np.abs(logits - centre).max() / scale, 1.0, 3.0))
    z = np.linspace(-bound, bound, _CELLS + 1)
    if not informative or len(prior) < 2:
        return BinPosterior(prior, np.tile(prior, (len(z), 1)), centre, scale, bound)
    at = np.clip((logits - centre) / scale, -bound, bound)
    offset = np.log(np.maximum(expected(logits), _TINY))
    correction = fit_multinomial(_basis(at), membership, offset, ridge=_RIDGE)
    scores = np.log(np.maximum(expected(centre + scale * z), _TINY)) + _basis(z) @ correction
    return BinPosterior(prior, softmax(scores), centre, scale, bound)


def _basis(z: Doubles) -> Doubles:
    return np.stack([np.ones_like(z), z, z**2 - 1.0], axis=1)


def fit_multinomial(basis: Doubles, target: Doubles, offset: Doubles, *, ridge: float) -> Doubles:
    """Coefficients (basis, B) of a multinomial logistic model beside `offset`, by Newton's method.

    basis: (P, K); target: (P, B) soft labels; ridge: penalty of every coefficient towards 0.
    """
    k, b = basis.shape[1], target.shape[1]
    coefficients = np.zeros((k, b))
    for _ in range(_ROUNDS):
        p = softmax(offset + basis @ coefficients)
        gradient = basis.T @ (target - p) - ridge * coefficients
        hessian = np.zeros((b, k, b, k))
        for i in range(b):
            for j in range(i, b):
                curvature = p[:, i] * ((i == j) - p[:, j])
                block = (basis * curvature[:, None]).T @ basis
                hessian[i, :, j, :] = block
                hessian[j, :, i, :] = block.T
        flat = hessian.reshape(b * k, b * k) + ridge * np.eye(b * k)
        step = np.linalg.solve(flat, gradient.T.ravel()).reshape(b, k).T
        coefficients += step / max(1.0, float(np.abs(step).max()) / 2.0)
        if np.abs(step).max() < 1e-7:
            break
    return coefficients
