"""The difficulty of prompts: learned from all logged outcomes, predicted from text, metadata and probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from planner.curves.logs import Floats, Logs
from planner.curves.side_by_side import side_by_side
from planner.curves.table import OutcomeTable
from planner.difficulty import bins as binning
from planner.difficulty import state as states
from planner.difficulty.belief import Belief
from planner.difficulty.bins import RATES, RatePosterior, folds_of, quantile_edges, rate_by_bin, rate_posterior
from planner.difficulty.discriminant import Discriminant, fit_discriminant
from planner.difficulty.domain import Domain, fit_domain
from planner.difficulty.evidence import Evidence, choose_reference, gather, pool_key, reference_column
from planner.difficulty.features import QuickFeatures
from planner.difficulty.fit_features import fit_features
from planner.difficulty.fit_probes import fit_probes, leave_out
from planner.difficulty.labels import Training, labels
from planner.difficulty.latent import Doubles, Latent, fit_latent, normal_log_prior
from planner.difficulty.native import NativeBooster
from planner.difficulty.posterior import BinPosterior, fit_bin_posterior
from planner.difficulty.reading import Posteriors, Read, Reader, Told
from planner.difficulty.regress import N_FOLDS, Blend, fit_blend, mix
from planner.difficulty.sharpen import LearnedProbes, ProbeUpdate
from planner.difficulty.sketch_features import SketchFeatures, fit_sketch_features, needs_sketches
from planner.difficulty.state import State
from planner.difficulty.text_prior import TextPrior, fit_text_prior
from planner.errors import InvalidInput, NotEnoughData
from planner.texts.kept import Text

if TYPE_CHECKING:
    from planner.core import Probe

_LEAST_PROMPTS = 10


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
    quick_: QuickFeatures | SketchFeatures
    domain_: Domain
    blend_: Blend
    text_prior_: TextPrior
    probes_: ProbeUpdate
    posterior_: BinPosterior
    discriminant_: Discriminant
    edges_: Doubles
    prior_: Doubles
    rates_by_bin_: Doubles
    mean_rates_: Doubles
    training_: Training
    membership_: Floats
    belief_: Belief

    def fit(self, table: OutcomeTable, logs: Logs | None = None) -> Self:
        """Learn from every outcome and text of the table; what ungraded probes tell, from the samples of `logs`.

        `logs` may hold more prompts than the table: only samples of the table's prompts are read.
        Raises NotEnoughData, or InvalidInput for settings that cannot be used.
        """
        self._check(table)
        prompts = table.prompts
        evidence = gather(table)
        self.reference_ = choose_reference(evidence, self.reference)
        self.column_ = reference_column(table, evidence, self.reference_)
        fit_quick = fit_sketch_features if needs_sketches(prompts.texts) else fit_features
        self.quick_ = fit_quick(
            prompts.texts,
            prompts.datasets,
            prompts.metadata,
            metadata_features=self.metadata_features,
            seed=self.random_state,
        )
        raw = self.quick_.transform(prompts.texts, prompts.datasets, prompts.metadata)
        self.domain_, features = fit_domain(raw, self.quick_.number_columns)
        logits = self._learn_text(evidence, features, prompts.texts)
        log_prior = self.text_prior_.log_prior(logits)
        self._cut(rate_posterior(self.latent_, evidence, self.column_, log_prior), logits)
        held_out = self._learn_bins(evidence, features, logits, prompts.texts)
        self._prepare()
        read = Read(features, self.domain_.holds(raw, features), raw.n_characters)
        self.belief_ = self._belief(read, self._posteriors.told(held_out, read.known))
        self.training_ = Training(features, self.outcome_rates(table), prompts.datasets)
        self.probes_ = self._learn_probes(table, evidence, log_prior, logs)
        return self

    def believe(
        self,
        texts: Sequence[Text],
        datasets: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> Belief:
        """Belief of prompts from their text or its sketch, and data set and metadata where they are known."""
        read = self._reader.read(texts, datasets, metadata)
        trees = self._booster.predict(read.features)
        return self._belief(read, self._posteriors.read(read.features, trees, read.known))

    def membership(self, table: OutcomeTable) -> Floats:
        """Bin membership (P, B) of any prompts from their logged outcomes, and their text."""
        evidence = gather(table).align(self.latent_.keys)
        belief = self.believe(table.prompts.texts, table.prompts.datasets, table.prompts.metadata)
        log_prior = self.text_prior_.log_prior(self._logits(belief.features))
        posterior = rate_posterior(self.latent_, evidence, self.column_, log_prior)
        return posterior.membership(self.edges_).astype(np.float32)

    def sharpen(self, belief: Belief, probes: Sequence[Sequence[Probe]]) -> Belief:
        """The belief after the samples already drawn for each prompt; an empty sequence leaves a prompt as it is."""
        if len(probes) != len(belief):
            raise InvalidInput(f"probes are wanted for each of {len(belief)} prompts, got them for {len(probes)}")
        return self.probes_.apply(belief, probes)

    def to_state(self) -> tuple[State, str]:
        """What serving needs: a state of dicts, lists, numbers and arrays, and LightGBM's text."""
        state = {
            "version": states.version_of(self.quick_),
            "settings": {
                "n_bins": self.n_bins,
                "edges": None if self.edges is None else list(self.edges),
                "reference": self.reference,
                "metadata_features": list(self.metadata_features),
                "random_state": self.random_state,
            },
            "reference": self.reference_,
            "column": self.column_,
            "edges": self.edges_,
            "rates_by_bin": self.rates_by_bin_,
            "n_features": len(self.domain_.centre),
            "quick": states.quick_state(self.quick_),
            "domain": states.domain_state(self.domain_),
            "blend": states.blend_state(self.blend_),
            "latent": states.latent_state(self.latent_),
            "text_prior": states.text_prior_state(self.text_prior_),
            "posterior": states.posterior_state(self.posterior_),
            "discriminant": states.discriminant_state(self.discriminant_),
            "probes": states.probes_state(self.probes_),
        }
        return state, self.blend_.model_text

    @classmethod
    def from_state(cls, state: State, model_text: str) -> Self:
        """The predictor that `to_state` wrote; `belief_` and `membership_` of its training prompts are not kept.

        `model_text` must have been checked against its hash: LightGBM aborts the process on a damaged one.
        """
        states.require_readable(state)
        self = cls(**state["settings"])
        self.reference_ = state["reference"]
        self.column_ = state["column"]
        self.edges_ = np.asarray(state["edges"], dtype=np.float64)
        self.rates_by_bin_ = np.asarray(state["rates_by_bin"], dtype=np.float64)
        self.mean_rates_ = self.rates_by_bin_ @ RATES
        self.quick_ = states.quick_from(state["quick"])
        self.domain_ = states.domain_from(state["domain"])
        self.blend_ = states.blend_from(state["blend"], model_text)
        self.latent_ = states.latent_from(state["latent"])
        self.text_prior_ = TextPrior(**state["text_prior"])
        self.posterior_ = states.posterior_from(state["posterior"])
        self.prior_ = self.posterior_.prior
        self.discriminant_ = states.discriminant_from(state["discriminant"])
        self.probes_ = states.probes_from(state["probes"])
        self._booster = NativeBooster(model_text, state["n_features"])
        self._prepare()
        return self

    def outcome_rates(self, table: OutcomeTable) -> Floats:
        """Shrunken pass rates (P,) of the reference on any prompts from their logged outcomes, without their text."""
        evidence = gather(table).align(self.latent_.keys)
        flat = normal_log_prior(np.zeros(1), 1.0)
        return rate_posterior(self.latent_, evidence, self.column_, flat).mean.astype(np.float32)

    def bin_likelihood(self, table: OutcomeTable) -> Doubles:
        """Likelihood (P, B) by bin of any prompts' logged outcomes, without their text, up to a factor a prompt."""
        return binning.bin_likelihood(self.latent_, gather(table).align(self.latent_.keys), self.column_, self.edges_)

    def reference_counts(self, table: OutcomeTable) -> tuple[Floats, Floats]:
        """Graded samples of the reference on any prompts, and how many are correct; (P,) each."""
        evidence = gather(table).align(self.latent_.keys)
        return evidence.n[:, self.column_], evidence.correct[:, self.column_]

    def _check(self, table: OutcomeTable) -> None:
        if self.n_bins < 1:
            raise InvalidInput(f"n_bins is the number of difficulty bins, at least 1, got {self.n_bins}")
        if len(table.prompts) < _LEAST_PROMPTS:
            raise NotEnoughData(
                f"difficulty needs outcomes on at least {_LEAST_PROMPTS} prompts, {len(table.prompts)} are logged: "
                "import more with `planner logs import`"
            )

    def _learn_text(self, evidence: Evidence, features: Floats, texts: Sequence[Text]) -> Doubles:
        """Regress the rates on the text, then learn the latent values again with the text as their prior.

        Gives the logit that each prompt's text is predicted to have, out of fold.
        """
        latent = fit_latent(evidence)
        flat = normal_log_prior(np.zeros(1), 1.0)
        posterior = rate_posterior(latent, evidence, self.column_, flat)
        target, weight = labels(posterior, latent, self.column_)
        folds = folds_of(texts, N_FOLDS, self.random_state)
        fitted = fit_blend(features, target, weight, folds, seed=self.random_state)
        self.blend_ = fitted.blend
        logits = fitted.held_out_logit
        self.text_prior_ = fit_text_prior(logits, latent.log_likelihood(evidence))
        self.latent_ = fit_latent(evidence, log_prior=self.text_prior_.log_prior(logits))
        self._booster = NativeBooster(self.blend_.model_text, features.shape[1])
        return logits

    def _learn_bins(self, evidence: Evidence, features: Floats, logits: Doubles, texts: Sequence[Text]) -> Doubles:
        """Learn what the features tell of the bins; gives the posterior of the training prompts, out of fold."""
        bins = self.posterior_.predict(logits)
        if not self.text_prior_.informative:
            self.discriminant_ = Discriminant.none(self.prior_, features.shape[1])
            return bins
        fitted = fit_discriminant(
            features,
            bins,
            membership=self.membership_.astype(np.float64),
            likelihood=binning.bin_likelihood(self.latent_, evidence, self.column_, self.edges_),
            prior=self.prior_,
            folds=folds_of(texts, N_FOLDS, self.random_state),
        )
        self.discriminant_ = fitted.discriminant
        return fitted.held_out

    def _learn_probes(
        self, table: OutcomeTable, evidence: Evidence, log_prior: Doubles, logs: Logs | None
    ) -> ProbeUpdate:
        pools = {} if logs is None else {pool_key(pool): i for i, pool in enumerate(logs.pools)}
        pooled = zip(evidence.generators, evidence.is_pool, strict=True)
        names = sorted({name for name, is_pool in pooled if is_pool})
        rates = {self.reference_: self.rates_by_bin_} | dict.fromkeys(names, self.rates_by_bin_)
        learned: dict[str, LearnedProbes | None] = dict.fromkeys(names)  # in an order that no thread decides

        def learn(generator: str) -> None:
            column = reference_column(table, evidence, generator)
            if generator != self.reference_:
                posterior = rate_posterior(self.latent_, evidence, column, log_prior)
                rates[generator] = rate_by_bin(posterior, self.membership_.astype(np.float64))
            if logs is not None and (pool := pools.get(evidence.keys[column])) is not None:
                without = leave_out(self.latent_, evidence, column, self.column_, self.edges_, log_prior)
                bins, seed = self.belief_.bins, self.random_state
                learned[generator] = fit_probes(table, logs, pool, bins, rates[generator], without, seed=seed)

        side_by_side(learn, ((name,) for name in names))
        return ProbeUpdate(self.reference_, {name: told for name, told in learned.items() if told}, rates)

    def _cut(self, posterior: RatePosterior, logits: Doubles) -> None:
        self.edges_ = (
            quantile_edges(posterior, self.n_bins)
            if self.edges is None
            else binning.absolute_edges(posterior, self.edges)
        )
        membership = posterior.membership(self.edges_)
        self.rates_by_bin_ = rate_by_bin(posterior, membership)
        self.mean_rates_ = self.rates_by_bin_ @ RATES
        spread = self.latent_.spread(self.column_)

        def expected(at: Doubles) -> Doubles:
            return RatePosterior(np.exp(self.text_prior_.log_prior(at)) @ spread).membership(self.edges_)

        informative = self.text_prior_.informative
        self.posterior_ = fit_bin_posterior(logits, membership, expected, informative=informative)
        self.prior_ = self.posterior_.prior
        self.membership_ = membership.astype(np.float32)

    def _logits(self, features: Floats) -> Doubles:
        return mix(self._booster.predict(features), self.blend_.ridge.predict(features), self.blend_.ridge_share)

    def _belief(self, read: Read, told: Told) -> Belief:
        return Belief(read.features, told.pass_rate, told.bins, read.known, read.n_characters, told.by_text)

    def _prepare(self) -> None:
        """What `believe` works with, once all is learned."""
        self._reader = Reader(self.quick_, self.domain_)
        informative = self.text_prior_.informative
        self._posteriors = Posteriors(
            self.blend_, self.posterior_, self.discriminant_, self.mean_rates_, informative=informative
        )
