"""The difficulty of prompts: learned from all logged outcomes, predicted from text, metadata and probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.difficulty.belief import Belief
from planner.difficulty.bins import (
    RATES,
    RatePosterior,
    absolute_edges,
    folds_of,
    quantile_edges,
    rate_by_bin,
    rate_posterior,
)
from planner.difficulty.domain import Domain, fit_domain
from planner.difficulty.evidence import Evidence, choose_reference, gather, reference_column
from planner.difficulty.features import QuickFeatures, RawFeatures
from planner.difficulty.fit_features import fit_features
from planner.difficulty.latent import Doubles, Latent, fit_latent, normal_log_prior
from planner.difficulty.posterior import BinPosterior, fit_bin_posterior
from planner.difficulty.regress import N_FOLDS, Blend, fit_blend, mix
from planner.difficulty.text_prior import TextPrior, fit_text_prior
from planner.errors import InvalidInput, NotEnoughData

_LEAST_PROMPTS = 10
_LEAST_RELIABILITY = 0.05


class DifficultyPredictor:
    """Predicts the pass rate of the reference generator, and a posterior over bins of it.

    n_bins: bins of equal size; `edges` (pass rates) are absolute ones instead. reference: generator whose pass rate
    is difficulty (default: the one with most sampled prompts). metadata_features: names of metadata to learn from.

    Learned: `reference_`, `edges_` (falling pass rates), `prior_` (B,), `membership_` (P, B) of the training prompts
    from all their outcomes, `belief_` (their Belief from the text alone, out of fold).
    """

    def __init__(
        self,
        *,
        n_bins: int = 5,
        edges: Sequence[float] | None = None,
        reference: str | None = None,
        metadata_features: Sequence[str] = (),
        random_state: int = 0,
    ) -> None:
        self.n_bins = n_bins
        self.edges = edges
        self.reference = reference
        self.metadata_features = metadata_features
        self.random_state = random_state

    reference_: str
    column_: int
    latent_: Latent
    quick_: QuickFeatures
    domain_: Domain
    blend_: Blend
    text_prior_: TextPrior
    posterior_: BinPosterior
    edges_: Doubles
    prior_: Doubles
    rates_by_bin_: Doubles
    membership_: Floats
    belief_: Belief

    def fit(self, table: OutcomeTable) -> Self:
        """Learns from every outcome and text of the table. Raises NotEnoughData, or InvalidInput for bad settings."""
        self._check(table)
        prompts = table.prompts
        evidence = gather(table)
        self.reference_ = choose_reference(table, evidence, self.reference)
        self.column_ = reference_column(table, evidence, self.reference_)
        self.quick_ = fit_features(
            prompts.texts,
            prompts.datasets,
            prompts.metadata,
            metadata_features=self.metadata_features,
            seed=self.random_state,
        )
        raw = self.quick_.transform(prompts.texts, prompts.datasets, prompts.metadata)
        self.domain_, features = fit_domain(raw)
        posterior, logits = self._learn_text(evidence, features, prompts.texts)
        self._cut(posterior, logits)
        self.belief_ = self._assemble(raw, features, logits)
        return self

    def believe(
        self,
        texts: Sequence[str | None],
        datasets: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> Belief:
        """Belief of prompts from their text, and data set and metadata where they are known."""
        raw = self.quick_.transform(texts, datasets, metadata)
        features = self.domain_.standardise(raw)
        return self._assemble(raw, features, self._logits(features))

    def membership(self, table: OutcomeTable) -> Floats:
        """Bin membership (P, B) of any prompts from their logged outcomes, and their text."""
        evidence = gather(table).align(self.latent_.keys)
        belief = self.believe(table.prompts.texts, table.prompts.datasets, table.prompts.metadata)
        log_prior = self.text_prior_.log_prior(self._logits(belief.features))
        posterior = rate_posterior(self.latent_, evidence, self.column_, log_prior)
        return posterior.membership(self.edges_).astype(np.float32)

    def _check(self, table: OutcomeTable) -> None:
        if self.n_bins < 1:
            raise InvalidInput(f"n_bins is the number of difficulty bins, at least 1, got {self.n_bins}")
        if len(table.prompts) < _LEAST_PROMPTS:
            raise NotEnoughData(
                f"difficulty needs outcomes on at least {_LEAST_PROMPTS} prompts, {len(table.prompts)} are logged: "
                "import more with `planner logs import`"
            )

    def _learn_text(
        self, evidence: Evidence, features: Floats, texts: Sequence[str | None]
    ) -> tuple[RatePosterior, Doubles]:
        """Regresses the rates on the text, then learns the latent values again with the text as their prior."""
        latent = fit_latent(evidence)
        flat = normal_log_prior(np.zeros(1), 1.0)
        posterior = rate_posterior(latent, evidence, self.column_, flat)
        target, weight = _labels(posterior, latent.spread(self.column_), flat)
        folds = folds_of(texts, N_FOLDS, self.random_state)
        fitted = fit_blend(features, target, weight, folds, seed=self.random_state)
        self.blend_ = fitted.blend
        logits = fitted.held_out_logit
        self.text_prior_ = fit_text_prior(logits, latent.log_likelihood(evidence))
        log_prior = self.text_prior_.log_prior(logits)
        self.latent_ = fit_latent(evidence, log_prior=log_prior)
        return rate_posterior(self.latent_, evidence, self.column_, log_prior), logits

    def _cut(self, posterior: RatePosterior, logits: Doubles) -> None:
        rates = posterior.mean
        self.edges_ = (
            quantile_edges(rates, self.n_bins) if self.edges is None else absolute_edges(rates, self.edges)
        )
        membership = posterior.membership(self.edges_)
        self.rates_by_bin_ = rate_by_bin(posterior, membership)
        self.posterior_ = fit_bin_posterior(logits, membership, informative=self.text_prior_.informative)
        self.prior_ = self.posterior_.prior
        self.membership_ = membership.astype(np.float32)

    def _logits(self, features: Floats) -> Doubles:
        import lightgbm  # noqa: PLC0415

        booster = lightgbm.Booster(model_str=self.blend_.model_text)
        trees = np.asarray(booster.predict(features, num_iteration=self.blend_.n_trees))
        return mix(trees, self.blend_.ridge.predict(features), self.blend_.ridge_share)

    def _assemble(self, raw: RawFeatures, features: Floats, logits: Doubles) -> Belief:
        known: NDArray[np.bool_] = self.domain_.holds(raw, features)
        told = known & self.text_prior_.informative
        bins = np.where(told[:, None], self.posterior_.predict(logits), self.prior_)
        return Belief(
            features=features,
            pass_rate=(bins @ self.rates_by_bin_ @ RATES).astype(np.float32),
            bins=bins.astype(np.float32),
            in_distribution=known,
            n_characters=raw.n_characters,
            source=told.astype(np.int8),
        )


def _labels(posterior: RatePosterior, spread: Doubles, log_prior: Doubles) -> tuple[Doubles, Doubles]:
    """Pass rates without their shrinkage, and the weight that each deserves.

    For one pool of n samples this is c/n with weight n / (n + n0), n0 the strength of the prior (METHODS 6.6).
    """
    prior = RatePosterior(np.exp(log_prior) @ spread)
    reliability = np.clip(1.0 - posterior.logit_variance / prior.logit_variance, _LEAST_RELIABILITY, 1.0)
    target = np.clip(prior.mean + (posterior.mean - prior.mean) / reliability, 0.0, 1.0)
    return target, reliability
