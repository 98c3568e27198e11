"""What the text tells of the latent ease: normal(slope x standardised logit, deviation), by marginal likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.difficulty.latent import Doubles, marginal, normal_log_prior

_SLOPES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
_DEVIATIONS = (0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Twice the gain in log likelihood that chance alone reaches once in a hundred fits.
_LEAST_GAIN = 6.6


@dataclass(frozen=True)
class TextPrior:
    """Prior of a prompt's ease from its predicted logit; slope 0 is a text that tells nothing."""

    slope: float
    deviation: float
    centre: float
    scale: float

    @property
    def informative(self) -> bool:
        """Whether the text tells more of the difficulty than chance would."""
        return self.slope > 0

    def log_prior(self, logits: Doubles) -> Doubles:
        """Log prior of ease; (P, grid)."""
        z = np.clip((logits - self.centre) / self.scale, -3.0, 3.0)
        return normal_log_prior(self.slope * z, self.deviation)


def fit_text_prior(logits: Doubles, log_likelihood: Doubles) -> TextPrior:
    """Slope and deviation under which the logged outcomes are likeliest; `logits` come from other folds."""
    centre, scale = float(logits.mean()), float(max(logits.std(), 1e-6))

    def value(prior: TextPrior) -> float:
        return marginal(log_likelihood, prior.log_prior(logits))

    nothing = TextPrior(0.0, 1.0, centre, scale)
    grid = [TextPrior(slope, deviation, centre, scale) for slope in _SLOPES for deviation in _DEVIATIONS]
    values = [value(prior) for prior in grid]
    best = int(np.argmax(values))
    without = max(v for v, prior in zip(values, grid, strict=True) if prior.slope == 0)
    return grid[best] if 2.0 * (values[best] - without) > _LEAST_GAIN else nothing
