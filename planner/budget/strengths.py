"""Ridge regression of many responses whose strengths, one a feature, are shared and estimated from the responses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

N_ROUNDS = 12
LEAST_VARIANCE, MOST_VARIANCE = 1e-8, 1.0


def solve_shared(score: Doubles, information: Doubles) -> Doubles:
    """Weights (F, R) of R responses; w_fr ~ N(0, tau_f^2) with tau_f from all responses together.

    score: (R, F) gradient at zero weights. information: (R, F, F), or (1, F, F) where all responses share it up to
    the scale of their scores. Source: MacKay 1992, automatic relevance determination.
    """
    n_features = score.shape[1]
    variance = np.full(n_features, 0.01)
    weights = np.zeros_like(score)
    diagonal = np.arange(n_features)
    for _ in range(N_ROUNDS):
        precision = information.copy()
        precision[:, diagonal, diagonal] += 1 / variance
        covariance = np.linalg.inv(precision)
        weights = (covariance @ score[:, :, None])[:, :, 0]
        own = covariance[:, diagonal, diagonal]
        determined = np.clip(1 - own / variance, 1e-6, 1).sum(axis=0)
        # The fixed point is fast and can collapse, expectation-maximisation is slow and cannot: their mean serves.
        fixed_point, expectation = (weights**2).sum(axis=0) / determined, (weights**2 + own).mean(axis=0)
        variance = np.clip(np.sqrt(fixed_point * expectation), LEAST_VARIANCE, MOST_VARIANCE)
    return weights.T
