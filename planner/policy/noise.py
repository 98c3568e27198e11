"""Which arms cannot be told apart: paired differences on the logged prompts, by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats

LEAST_DIFFERENCE = 0.002  # .2 points: what nobody would pay for
MIN_PAIRS = 4.0
NOTHING = np.float32(1e-9)


@dataclass(frozen=True)
class PairedNoise:
    """Mean paired difference of every two arms in every bin, and its variance; (A, B, A), NaN where never paired.

    `difference[a, b, j]` is the outcome of arm a less that of arm j on prompts of bin b.
    """

    difference: Floats
    variance: Floats

    @classmethod
    def fit(cls, outcome: Floats, membership: Floats) -> PairedNoise:
        """From outcomes (P, A), NaN where unknown, and bin membership (P, B)."""
        n_arms, n_bins = outcome.shape[1], membership.shape[1]
        difference = np.empty((n_arms, n_bins, n_arms), dtype=np.float32)
        variance = np.empty_like(difference)
        known = np.isfinite(outcome).astype(np.float32)
        y = np.nan_to_num(outcome).astype(np.float32)
        for b in range(n_bins):
            w = membership[:, b : b + 1].astype(np.float32)
            pairs = known.T @ (w * known)
            effective = pairs**2 / np.maximum(known.T @ (w**2 * known), 1e-12)
            first = (y * w).T @ known
            second = (y**2 * w).T @ known
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = (first - first.T) / pairs
                square = (second + second.T - 2 * (y * w).T @ y) / pairs
                noise = np.maximum(square - mean**2, 0) / np.maximum(effective - 1, 1)
            thin = effective < MIN_PAIRS
            difference[:, b] = np.where(thin, np.nan, mean)
            variance[:, b] = np.where(thin, np.nan, noise)
        return cls(difference, variance)

    def within(self, arm: int, bins: Floats, accuracy: Floats, stderr: Floats) -> NDArray[np.bool_]:
        """(P, A) arms that `arm` does not beat by more than noise on prompts of posterior `bins` (P, B).

        Below one standard error and below .2 points. Where two arms never met on one prompt, their forecasts decide:
        `accuracy` and its `stderr`, (P, A).
        """
        gap = accuracy[:, arm : arm + 1] - accuracy
        mean = bins.dot(self.difference[arm])
        error = np.sqrt(np.square(bins).dot(self.variance[arm]))
        unpaired = np.isnan(mean)
        if np.count_nonzero(unpaired):
            forecast = np.sqrt(np.square(stderr[:, arm : arm + 1]) + np.square(stderr))
            mean, error = np.where(unpaired, gap, mean), np.where(unpaired, forecast, error)
        # Equal outcomes on every prompt have no error at all: they are within noise too.
        bound = np.minimum(np.maximum(error, NOTHING), LEAST_DIFFERENCE)
        return np.asarray((mean < bound) & (gap < 2 * LEAST_DIFFERENCE))
