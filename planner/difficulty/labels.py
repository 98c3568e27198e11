"""From posteriors of the pass rate to what the regressors learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.curves.logs import Floats
from planner.difficulty.bins import RatePosterior
from planner.difficulty.latent import LOGITS, Doubles, Latent, normal_log_prior
from planner.difficulty.regress import sigmoid

_LEAST_RELIABILITY = 0.05
_MIDDLING = 1.5


@dataclass(frozen=True)
class Training:
    """What the baselines of a report need of the training prompts: features (P, F), pass rates (P,), data sets."""

    features: Floats
    rates: Floats
    datasets: tuple[str | None, ...]


def labels(posterior: RatePosterior, latent: Latent, column: int) -> tuple[Doubles, Doubles]:
    """Pass rates without their shrinkage, and the weight that each deserves.

    For one pool of n samples this is c/n with weight n / (n + n0), n0 the strength of the prior (METHODS 6.6).
    A reference that nearly always fails or succeeds tells little by its rate, whatever else is logged: there the
    rates are those of a generator as far off it as to have a middling one.
    """
    shift = latent.intercept[column] - np.clip(latent.intercept[column], -_MIDDLING, _MIDDLING)
    rates = sigmoid(LOGITS - shift)
    prior = RatePosterior(np.exp(normal_log_prior(np.zeros(1), 1.0)) @ latent.spread(column))
    reliability = np.clip(1.0 - posterior.logit_variance / prior.logit_variance, _LEAST_RELIABILITY, 1.0)
    middle = prior.mass @ rates
    return np.clip(middle + (posterior.mass @ rates - middle) / reliability, 0.0, 1.0), reliability
