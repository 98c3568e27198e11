"""Which prompts are like those that were logged: share of known words, and distance of the features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.features import RawFeatures

_WORD_MARGIN = 0.6
_DISTANCE_MARGIN = 2.5
_FAR = 12.0


@dataclass(frozen=True)
class Domain:
    """Scaling of the features and the bounds of what was logged.

    centre, scale: (F,). least_known_share: below it a prompt's words are strange. most_distance: mean square of the
    standardised features above which a prompt is far from all that was logged.
    """

    centre: Floats
    scale: Floats
    least_known_share: float
    most_distance: float

    def standardise(self, raw: RawFeatures) -> Floats:
        """Features with mean 0 and deviation 1 on the training prompts; unknown numbers become 0; (P, F)."""
        scaled = (raw.dense - self.centre) / self.scale
        return np.clip(np.where(np.isnan(scaled), np.float32(0), scaled), -_FAR, _FAR).astype(np.float32)

    def holds(self, raw: RawFeatures, features: Floats) -> NDArray[np.bool_]:
        """Whether each prompt is near those that were logged; (P,)."""
        known = raw.known_share >= self.least_known_share
        return np.asarray(known & (_distance(features) <= self.most_distance))


def fit_domain(raw: RawFeatures) -> tuple[Domain, Floats]:
    """Bounds from the training prompts, and their standardised features.

    A known word stands in at least two training prompts, so a training prompt's share of known words is what it
    would be if that prompt had been left out.
    """
    centre = np.nanmean(np.where(np.isfinite(raw.dense), raw.dense, np.nan), axis=0)
    scale = np.nanstd(np.where(np.isfinite(raw.dense), raw.dense, np.nan), axis=0)
    centre = np.nan_to_num(centre).astype(np.float32)
    scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
    bare = Domain(centre, scale, 0.0, np.inf)
    features = bare.standardise(raw)
    usual = float(np.quantile(raw.known_share, 0.02))
    far = float(np.quantile(_distance(features), 0.995))
    return Domain(centre, scale, _WORD_MARGIN * usual, _DISTANCE_MARGIN * max(far, 1.0)), features


def _distance(features: Floats) -> Floats:
    return np.asarray(np.square(features).mean(axis=1), dtype=np.float32)
