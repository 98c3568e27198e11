"""What the features tell of the bins themselves: linear discriminants beside the posterior from the predicted logit.

A regression of one number cannot say that a word names a bin, only that it moves the logit; discriminants can.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.latent import Doubles
from planner.difficulty.posterior import softmax

_SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MEAN_PRIOR = 2.0
_TINY = 1e-9
# Twice the gain in log likelihood that chance alone reaches once in a hundred fits.
_LEAST_GAIN = 6.6


@dataclass(frozen=True)
class Discriminant:
    """log p(bin | x) = share of the log odds by the logit + features @ weights + intercept, up to a constant.

    prior: (B,); logit_share: what is kept of the posterior from the logit, 1 where the discriminants tell nothing.
    weights: (F, B); intercept: (B,): already scaled by their own share, which is 0 where they tell nothing.
    """

    prior: Doubles
    logit_share: float
    weights: Doubles
    intercept: Doubles

    @classmethod
    def none(cls, prior: Doubles, n_features: int) -> Discriminant:
        """One that leaves the posterior from the logit as it is."""
        return cls(prior, 1.0, np.zeros((n_features, len(prior))), np.zeros(len(prior)))

    @cached_property
    def idle(self) -> bool:
        """Whether the posterior from the logit is left as it is."""
        return self.logit_share == 1.0 and not self.weights.any()

    def apply(self, bins: Doubles, features: Floats) -> Doubles:
        """The posterior (P, B) from the logit, moved by the features (P, F)."""
        if self.idle:
            return bins
        return softmax(self.logit_share * np.log(np.maximum(bins, _TINY)) + (features.dot(self.weights) + self.offset))

    @cached_property
    def offset(self) -> Doubles:
        """(B,) what does not depend on the prompt."""
        return self.intercept + (1.0 - self.logit_share) * np.log(self.prior)


@dataclass(frozen=True)
class FittedDiscriminant:
    """A discriminant, and the posterior that it gives each training prompt from the other folds."""

    discriminant: Discriminant
    held_out: Doubles


def fit_discriminant(
    features: Floats,
    bins: Doubles,
    membership: Doubles,
    likelihood: Doubles,
    prior: Doubles,
    folds: NDArray[np.intp],
) -> FittedDiscriminant:
    """Shrinkage and shares under which the logged outcomes of held-out prompts are likeliest.

    bins: (P, B) held-out posterior from the logit. membership: (P, B) soft labels. likelihood: (P, B) of each prompt's
    outcomes by bin, without its text: what the text adds is judged by outcomes alone. Discriminants are used only where
    they gain more than chance would.
    """
    n, f = features.shape
    none = Discriminant.none(prior, f)
    if len(prior) < 2:
        return FittedDiscriminant(none, bins)
    x = features.astype(np.float64)
    held_out = np.empty((len(_SHRINKAGES), n, len(prior)))
    for fold in range(int(folds.max()) + 1):
        test, train = folds == fold, folds != fold
        for i, (weights, intercept) in enumerate(linear_discriminants(x[train], membership[train])):
            held_out[i, test] = x[test] @ weights + intercept

    def value(candidate: Doubles) -> float:
        return float(np.log(np.maximum((candidate * likelihood).sum(axis=1), 1e-300)).sum())

    best, best_value, chosen = bins, value(bins) + _LEAST_GAIN / 2.0, none
    full = linear_discriminants(x, membership)
    for (weights, intercept), scores in zip(full, held_out, strict=True):
        for logit_share in _SHARES:
            for own_share in _SHARES[1:]:
                candidate = _combine(bins, scores, prior, logit_share, own_share)
                if (reached := value(candidate)) > best_value:
                    best, best_value = candidate, reached
                    chosen = Discriminant(prior, logit_share, own_share * weights, own_share * intercept)
    return FittedDiscriminant(chosen, best)


def linear_discriminants(x: Doubles, membership: Doubles) -> list[tuple[Doubles, Doubles]]:
    """Weights (F, B) and intercepts (B,) of the log likelihood of normal features by bin, one for each shrinkage.

    The bins share a covariance, shrunken to the identity (Friedman 1989), and their means are shrunken to the middle.
    """
    n = membership.sum(axis=0)
    middle = x.mean(axis=0)
    centred = x - middle
    means = membership.T @ centred / (n + _MEAN_PRIOR)[:, None]
    within = (centred.T @ centred - (means * n[:, None]).T @ means) / max(len(x), 1)
    values, vectors = np.linalg.eigh(within)
    rotated = means @ vectors
    out = []
    for shrinkage in _SHRINKAGES:
        weights = vectors @ (rotated / (np.maximum(values, 0.0) + shrinkage)).T
        intercept = -0.5 * np.einsum("bf,fb->b", means, weights) - middle @ weights
        out.append((weights, intercept))
    return out


def _combine(bins: Doubles, scores: Doubles, prior: Doubles, logit_share: float, own_share: float) -> Doubles:
    log_prior = np.log(prior)
    return softmax(log_prior + logit_share * (np.log(np.maximum(bins, _TINY)) - log_prior) + own_share * scores)
