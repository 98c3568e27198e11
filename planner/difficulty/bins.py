"""Bins of the reference's pass rate: edges from shrunken rates, soft membership from all outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.difficulty.evidence import Evidence
from planner.difficulty.latent import LOGITS, Doubles, Latent, binomial_by_logit, normal_log_prior, normalise
from planner.errors import InvalidInput
from planner.texts.kept import Text, equal_texts

_STEP = float(LOGITS[1] - LOGITS[0])
_LEAST_SIZE = 0.5
RATES = 1.0 / (1.0 + np.exp(-LOGITS))


@dataclass(frozen=True)
class RatePosterior:
    """Posterior of a generator's pass rate on P prompts, by the grid `RATES`; mass: (P, len(RATES))."""

    mass: Doubles

    @property
    def mean(self) -> Doubles:
        """Shrunken pass rates; (P,)."""
        return np.asarray(self.mass @ RATES)

    @property
    def logit_variance(self) -> Doubles:
        """Variance of the logit of the rate; (P,)."""
        return np.asarray(self.mass @ LOGITS**2 - (self.mass @ LOGITS) ** 2)

    def membership(self, edges: Doubles) -> Doubles:
        """Chance of each bin, bin 0 the easiest; edges fall from high rates to low; (P, len(edges) + 1)."""
        cumulative = np.concatenate([np.cumsum(self.mass[:, ::-1], axis=1), np.ones((len(self.mass), 1))], axis=1)
        # Cell i of the falling grid reaches from its own half step above to half a step below its logit.
        place = (LOGITS[-1] + _STEP / 2 - np.log(edges / (1.0 - edges))) / _STEP
        whole = np.clip(np.floor(place), 0, len(LOGITS) - 1).astype(int)
        part = np.clip(place - whole, 0.0, 1.0)
        before = np.where(whole > 0, cumulative[:, np.maximum(whole - 1, 0)], 0.0)
        upto = before + part * (cumulative[:, whole] - before)
        bounds = np.concatenate([np.zeros((len(upto), 1)), upto, np.ones((len(upto), 1))], axis=1)
        return np.diff(np.clip(bounds, 0.0, 1.0), axis=1)


def rate_posterior(latent: Latent, evidence: Evidence, column: int, log_prior: Doubles) -> RatePosterior:
    """Posterior of one column's pass rate from all outcomes; `log_prior` of ease is (P, grid) or (1, grid).

    A pool's own counts speak for its own rate; the other columns speak through the latent ease. A column of
    single outcomes has no rate of its own to be told from them, so there the latent value is all there is.
    """
    log_posterior = latent.log_likelihood(evidence) + log_prior
    if latent.deviation[column] <= 0:
        return RatePosterior(normalise(log_posterior) @ latent.spread(column))
    others = normalise(log_posterior - latent.column_log_likelihood(evidence, column))
    own = binomial_by_logit(evidence.n[:, column], evidence.correct[:, column])
    mass = (others @ latent.spread(column)) * own + 1e-300
    return RatePosterior(mass / mass.sum(axis=1, keepdims=True))


def bin_likelihood(latent: Latent, evidence: Evidence, column: int, edges: Doubles) -> Doubles:
    """Likelihood of each prompt's outcomes by bin, up to a factor a prompt: no text has a part in it; (P, B)."""
    flat = normal_log_prior(np.zeros(1), 1.0)
    before = RatePosterior(np.exp(flat) @ latent.spread(column)).membership(edges)
    return rate_posterior(latent, evidence, column, flat).membership(edges) / np.maximum(before, 1e-6)


def quantile_edges(posterior: RatePosterior, n_bins: int) -> Doubles:
    """Falling edges between bins that hold equal shares of the prompts, each spread over its posterior.

    Quantiles of the prompts' mean rates would leave bins that no prompt is sure to be in where many rates tie.
    """
    share = np.concatenate([[0.0], np.cumsum(posterior.mass.mean(axis=0)[::-1])])
    falling = LOGITS[-1] + _STEP / 2 - _STEP * np.arange(len(share))
    logits = np.interp(np.arange(1, n_bins) / n_bins, share, falling)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def absolute_edges(posterior: RatePosterior, wanted: Sequence[float]) -> Doubles:
    """Falling edges at the pass rates `wanted`, without those that leave a bin with less than half a prompt."""
    edges = sorted(wanted, reverse=True)
    if any(not RATES[0] < edge < RATES[-1] for edge in edges):
        raise InvalidInput(f"edges of difficulty bins are pass rates between .001 and .999, got {list(wanted)}")
    kept: list[float] = []
    for edge in edges:
        sizes = posterior.membership(np.array([*kept, edge])).sum(axis=0)
        if sizes[-2] >= _LEAST_SIZE and sizes[-1] >= _LEAST_SIZE:
            kept.append(edge)
    return np.array(kept, dtype=np.float64)


def rate_by_bin(posterior: RatePosterior, membership: Doubles) -> Doubles:
    """Distribution of the pass rate within each bin, over `RATES`; (B, len(RATES))."""
    mass = membership.T @ posterior.mass + 1e-6 / len(RATES)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def folds_of(texts: Sequence[Text], n_folds: int, seed: int) -> NDArray[np.intp]:
    """A fold for every prompt; prompts of equal text share one, prompts without text stand alone.

    Where all have one text there is nothing to learn from it, and they stand alone as well.
    """
    keys = [text or f"\0{i}" for i, text in enumerate(equal_texts(texts))]
    if len(set(keys)) == 1:
        keys = [f"\0{i}" for i in range(len(keys))]
    order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    fold = np.random.default_rng(seed).permutation(len(order)) % n_folds
    return np.array([fold[order[key]] for key in keys], dtype=np.intp)
