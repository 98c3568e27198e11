"""Calibrated posterior over bins from the predicted logit: multinomial logistic, shrunken towards the prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.difficulty.latent import Doubles

_RIDGE = 2.0
_ROUNDS = 30


@dataclass(frozen=True)
class BinPosterior:
    """p(bin | logit): log prior + basis(logit) @ coefficients. Zero coefficients give the prior.

    prior: (B,). coefficients: (3, B) of the basis 1, z, z^2 - 1 with z = (logit - centre) / scale, z in +-bound.
    """

    prior: Doubles
    coefficients: Doubles
    centre: float
    scale: float
    bound: float

    def predict(self, logits: Doubles) -> Doubles:
        """Probabilities of the bins; (P, B)."""
        return softmax(self.basis(logits) @ self.coefficients + np.log(self.prior))

    def basis(self, logits: Doubles) -> Doubles:
        """1, z and z^2 - 1 of each logit; (P, 3)."""
        z = np.minimum(np.maximum((logits - self.centre) / self.scale, -self.bound), self.bound)
        out = np.ones((len(z), 3))
        out[:, 1] = z
        out[:, 2] = z * z - 1.0
        return out


def softmax(scores: Doubles) -> Doubles:
    """Rows of scores as probabilities."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_bin_posterior(logits: Doubles, membership: Doubles, *, informative: bool) -> BinPosterior:
    """Fits p(bin | logit) to soft memberships (P, B); where the logit tells nothing, the prior alone."""
    prior = (membership.sum(axis=0) + 0.5) / (membership.sum() + 0.5 * membership.shape[1])
    centre, scale = float(logits.mean()), float(max(logits.std(), 1e-6))
    bound = float(np.abs((logits - centre) / scale).max()) if len(logits) else 1.0
    zero = np.zeros((3, len(prior)))
    bare = BinPosterior(prior, zero, centre, scale, min(bound, 3.0))
    if not informative or len(prior) < 2:
        return bare
    coefficients = fit_multinomial(bare.basis(logits), membership, np.log(prior)[None, :], ridge=_RIDGE)
    return BinPosterior(prior, coefficients, centre, scale, bare.bound)


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
