"""Fits a policy: difficulty, budget model, and what the policy keeps of the logged prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.budget import BudgetModel, Forecasts
from planner.curves.logs import Floats, Logs
from planner.curves.table import OutcomeTable
from planner.difficulty import DifficultyPredictor
from planner.errors import NothingGraded
from planner.policy.candidates import group_shares
from planner.policy.evidence import Evidence
from planner.policy.noise import PairedNoise
from planner.policy.policy import Policy
from planner.texts.kept import sha256_of

SAMPLE = 1000


def fit_policy(
    table: OutcomeTable,
    *,
    logs: Logs | None = None,
    seed: int = 0,
    reference: str | None = None,
    metadata_features: Sequence[str] = (),
    n_bins: int = 5,
) -> Policy:
    """A policy from the outcomes of all prompts of `table`; the same table and seed give the same policy.

    From `logs`, whose samples the table sums up, it learns what ungraded probes tell; without them they tell nothing.

    Raises NothingGraded where nothing is.
    """
    if not len(table.prompts) or not np.isfinite(table.outcome).any():
        raise NothingGraded
    graded = table.graded_arms()
    if len(graded) < len(table.arms):
        table = table.take_arms(graded)
    predictor = DifficultyPredictor(
        n_bins=n_bins, reference=reference, metadata_features=tuple(metadata_features), random_state=seed
    ).fit(table, logs)
    budget_model = BudgetModel(random_state=seed).fit(table, predictor.belief_, predictor.membership_)
    rows = np.arange(len(table.prompts))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng([seed, 7]).choice(rows, SAMPLE, replace=False))
    return Policy(
        predictor=predictor,
        budget_model=budget_model,
        sample=predictor.belief_.take(rows),
        sample_ids=tuple(table.prompts.ids[row] for row in rows),
        sample_hashes=tuple(
            "" if text is None else sha256_of(text) for text in map(table.prompts.texts.__getitem__, rows)
        ),
        logged_accuracy=_logged_accuracy(table, predictor.belief_.bins, budget_model.forecast(predictor.belief_)),
        noise=PairedNoise.fit(table.outcome, predictor.membership_),
        evidence=Evidence.of(table),
        models=table.models,
    )


def _logged_accuracy(table: OutcomeTable, bins: Floats, forecasts: Forecasts) -> Floats:
    """(1 + B, A) mean outcome of all prompts and of each believed bin; a missing one is taken as forecast."""
    filled = np.where(np.isfinite(table.outcome), table.outcome, forecasts.accuracy)
    return np.asarray(group_shares(bins) @ filled, dtype=np.float32)
