"""Which prompts are like those that were logged: share of known words, length, and distance of the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.features import RawFeatures

_WORD_MARGIN = 0.75
"""Of the share of known words that nearly all logged prompts reach. On six public logs and the lab's this takes at most
one in two hundred unseen prompts of the same log for strange (.8 takes one in fifty), and most prompts of other logs
wherever these have other words."""
_DISTANCE_MARGIN = 2.5
_LENGTH_MARGIN = 8.0
FAR = np.float32(6.0)


@dataclass(frozen=True)
class Domain:
    """Scaling of the features and the bounds of what was logged.

    centre, scale: (F,). judged: (F,) 1 for features that count in the distance, 0 for those of numbers alone.
    least_known_share: below it a prompt's words are strange. most_distance: mean square of the standardised features
    above which a prompt is far from all that was logged. most_characters: the longest prompt that is like them.
    """

    centre: Floats
    scale: Floats
    judged: Floats
    least_known_share: float
    most_distance: float
    most_characters: float

    def standardise(self, raw: RawFeatures) -> Floats:
        """Features with mean 0 and deviation 1 on the training prompts; unknown numbers become 0; (P, F)."""
        scaled = (raw.dense - self.centre) / self.scale
        unknown = np.isnan(scaled)
        if np.count_nonzero(unknown):
            scaled[unknown] = 0.0
        return np.asarray(np.minimum(np.maximum(scaled, -FAR), FAR), dtype=np.float32)

    def holds(self, raw: RawFeatures, features: Floats) -> NDArray[np.bool_]:
        """Whether each prompt is near those that were logged; (P,)."""
        near = (features * features).dot(self.judged) <= self.most_distance
        known = raw.known_share >= self.least_known_share
        return np.asarray(near & known & (raw.n_characters <= self.most_characters))


def fit_domain(raw: RawFeatures, number_columns: Sequence[int] = ()) -> tuple[Domain, Floats]:
    """Bounds from the training prompts, and their standardised features.

    A known word stands in at least two training prompts, so a training prompt's share of known words is what it
    would be if that prompt had been left out.
    """
    counts = np.maximum(np.isfinite(raw.dense).sum(axis=0), 1)
    centre = (np.nansum(raw.dense, axis=0) / counts).astype(np.float32)
    scale = np.sqrt(np.nansum(np.square(raw.dense - centre), axis=0) / counts)
    judged = np.ones(len(centre), dtype=np.float32)
    judged[list(number_columns)] = 0.0
    bare = Domain(
        centre=centre,
        scale=np.where(scale > 1e-4, scale, 1.0).astype(np.float32),
        judged=judged / max(float(judged.sum()), 1.0),
        least_known_share=_WORD_MARGIN * float(np.quantile(raw.known_share, 0.02)),
        most_distance=np.inf,
        most_characters=_LENGTH_MARGIN * max(float(raw.n_characters.max()), 1.0),
    )
    features = bare.standardise(raw)
    far = float(np.quantile((features * features) @ bare.judged, 0.995))
    return replace(bare, most_distance=_DISTANCE_MARGIN * max(far, 1.0)), features
