"""Learns what ungraded probes say of the bins, from probes replayed from the logged samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats, Logs
from planner.curves.table import OutcomeTable
from planner.difficulty.bins import rate_posterior
from planner.difficulty.evidence import Evidence
from planner.difficulty.latent import Doubles, Latent
from planner.difficulty.posterior import fit_multinomial, softmax
from planner.difficulty.probe_features import draw_rows, probe_basis
from planner.difficulty.probe_model import ProbeModel, fit_probe_model
from planner.difficulty.sharpen import LearnedProbes, Update

PROBE_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
_LEAST_PROMPTS = 30
_WANTED_DRAWS = 4_000
_MOST_DRAWS = 8
_RIDGE = 2.0
_SHARES = np.linspace(0.0, 1.5, 31)

# Bin membership of training prompts (rows) once the samples that were drawn as probes are left out of the evidence:
# (rows, number drawn and graded, number of them correct) -> (rows, B).
Without = Callable[[NDArray[np.intp], Floats, Floats], Doubles]


def fit_probes(
    table: OutcomeTable, logs: Logs, pool: int, bins: Floats, rates: Doubles, without: Without, *, seed: int
) -> LearnedProbes | None:
    """What ungraded probes of one pool of `logs` tell; None where too few prompts have samples to replay.

    bins: (P, B) the text's posterior, out of fold. rates: (B, len(RATES)) the pool's pass rates by bin.
    """
    samples = logs.samples
    place = {name: row for row, name in enumerate(table.prompts.ids)}
    row_of = np.array([place.get(name, -1) for name in logs.prompts.ids], dtype=np.int64)
    # Samples of prompts that are not the table's are another fold's: nothing is learned from them.
    own = np.flatnonzero((samples.pool == pool) & (samples.attempt == 0) & (row_of[samples.prompt] >= 0))
    rows = row_of[samples.prompt[own]]
    own = own[np.argsort(rows, kind="stable")]
    scored = bool(np.isfinite(samples.score[own]).any())
    counts = np.bincount(rows, minlength=len(table.prompts))
    starts = np.cumsum(counts) - counts
    offset = np.log(np.maximum(bins.astype(np.float64), 1e-12))
    model = fit_probe_model(samples, own)
    answered = bool((samples.answer[own] >= 0).any())
    updates: dict[int, Update] = {}
    unscored: dict[int, Update] = {}
    for k in PROBE_COUNTS:
        enough = np.flatnonzero(counts >= k)
        if len(enough) < _LEAST_PROMPTS:
            break
        if k == 1 and not scored:
            continue  # a single answer without a score agrees with itself
        rng = np.random.default_rng([seed, k])
        draws = int(np.clip(_WANTED_DRAWS // len(enough), 1, _MOST_DRAWS))
        prompts = np.tile(rng.permutation(enough)[:_WANTED_DRAWS], draws)
        drawn = own[draw_rows(starts[prompts], counts[prompts], k, rng)]
        correct = samples.correct[drawn]
        graded = np.isfinite(correct)
        target = without(prompts, graded.sum(axis=1), np.where(graded, correct, 0.0).sum(axis=1))
        answers, scores = samples.answer[drawn].astype(np.int64), samples.score[drawn].astype(np.float64)

        text, ridge = offset[prompts], _RIDGE * draws
        updates[k] = _learned(model, text, rates, target, answers, scores, ridge=ridge)
        if scored and answered and k > 1:
            unscored[k] = _learned(model, text, rates, target, answers, np.full_like(scores, np.nan), ridge=ridge)
    return LearnedProbes(model, updates, unscored if scored else None, answered) if updates else None


def _learned(
    model: ProbeModel,
    offset: Doubles,
    rates: Doubles,
    target: Doubles,
    answers: NDArray[np.int64],
    scores: Doubles,
    *,
    ridge: float,
) -> Update:
    """What R draws tell beside `offset` (R, B), the log probabilities from the text; target: (R, B) soft labels."""
    expected = model.by_bin(answers, scores, rates)
    share = _best_share(offset, expected, target)
    basis = probe_basis(answers, scores)
    return Update(share, fit_multinomial(basis, target, offset + share * expected, ridge=ridge))


def _best_share(offset: Doubles, expected: Doubles, target: Doubles) -> float:
    """The share of the model's log likelihood worth most: samples of one prompt are more alike than it thinks."""
    values = [
        float((target * np.log(np.maximum(softmax(offset + share * expected), 1e-12))).sum()) for share in _SHARES
    ]
    return float(_SHARES[int(np.argmax(values))])


def leave_out(
    latent: Latent, evidence: Evidence, drawn_from: int, reference: int, edges: Doubles, log_prior: Doubles
) -> Without:
    """Membership without the samples that serve as probes: they must not be judged by themselves.

    drawn_from: column of the evidence that the probes are taken from. reference: column whose rate is binned.
    """

    def membership(rows: NDArray[np.intp], n_drawn: Floats, n_correct: Floats) -> Doubles:
        n, correct = evidence.n[rows].copy(), evidence.correct[rows].copy()
        n[:, drawn_from] = np.maximum(n[:, drawn_from] - n_drawn, 0)
        correct[:, drawn_from] = np.clip(correct[:, drawn_from] - n_correct, 0, n[:, drawn_from])
        rest = replace(evidence, n=n, correct=correct)
        return rate_posterior(latent, rest, reference, log_prior[rows]).membership(edges)

    return membership
