"""How well difficulty is predicted on held-out prompts, beside what anyone can have: means and nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.difficulty.labels import Training
from planner.difficulty.predictor import DifficultyPredictor
from planner.errors import NotReady

N_NEIGHBOURS = 20
_N_GROUPS = 10
_LEAST_DATASET = 5.0
_CHUNK = 512


def difficulty_report(predictor: DifficultyPredictor, held_out: OutcomeTable) -> dict[str, Any]:
    """Figures of the predictor and of each baseline on prompts that it has not seen.

    spearman: rank correlation with the shrunken pass rate that all logged outcomes tell. auc: chance that a correct
    sample of the reference has a higher prediction than a wrong one. calibration_error: mean distance, over tenths
    of the prompts, of the mean prediction from the share that is correct. auc and calibration_error are None where
    the reference has no outcome on these prompts. log_score_over_prior: gain in the log likelihood of a prompt's
    outcomes when its bin is believed rather than drawn from the prior.
    Raises NotReady for a predictor that was read from an artifact.
    """
    training = getattr(predictor, "training_", None)
    if training is None:
        raise NotReady("the training prompts are not kept with a policy: report on it where it is fitted")
    prompts = held_out.prompts
    belief = predictor.believe(prompts.texts, prompts.datasets, prompts.metadata)
    predictions = {
        "predictor": belief.pass_rate,
        "global_mean": np.full(len(prompts), training.rates.mean(), dtype=np.float32),
        "dataset_mean": dataset_means(training, prompts.datasets),
        "nearest_neighbours": nearest_neighbours(training, belief.features),
    }
    rates = predictor.outcome_rates(held_out)
    n, correct = predictor.reference_counts(held_out)
    likelihood = predictor.bin_likelihood(held_out)
    log_score = np.log((belief.bins * likelihood).sum(axis=1) / (likelihood @ predictor.prior_)).mean()
    return {
        "reference": predictor.reference_,
        "n_prompts": len(prompts),
        "n_samples": float(n.sum()),
        "out_of_distribution_share": float(1.0 - belief.in_distribution.mean()),
        "log_score_over_prior": float(log_score),
        **{
            name: {
                "spearman": spearman(predicted, rates),
                "auc": auc(predicted, correct, n - correct),
                "calibration_error": calibration_error(predicted, correct, n),
            }
            for name, predicted in predictions.items()
        },
    }


def dataset_means(training: Training, datasets: Sequence[str | None]) -> Floats:
    """Mean pass rate of each prompt's data set, shrunken to the mean of all; the mean of all for unknown ones."""
    overall = float(training.rates.mean())
    means = {}
    for name in set(training.datasets):
        own = training.rates[[other == name for other in training.datasets]]
        means[name] = (float(own.sum()) + _LEAST_DATASET * overall) / (len(own) + _LEAST_DATASET)
    return np.array([means.get(name, overall) for name in datasets], dtype=np.float32)


def nearest_neighbours(training: Training, features: Floats, k: int = N_NEIGHBOURS) -> Floats:
    """Mean pass rate of the k training prompts whose features are nearest by cosine; (P,)."""
    k = min(k, len(training.rates))
    known = _unit(training.features)
    out = np.empty(len(features), dtype=np.float32)
    for first in range(0, len(features), _CHUNK):
        alike = _unit(features[first : first + _CHUNK]) @ known.T
        nearest = np.argpartition(-alike, k - 1, axis=1)[:, :k]
        out[first : first + _CHUNK] = training.rates[nearest].mean(axis=1)
    return out


def _unit(features: Floats) -> Floats:
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norms, 1e-9), dtype=np.float32)


def spearman(predicted: Floats, actual: Floats) -> float:
    """Rank correlation; 0 where either side is constant."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    if np.ptp(predicted) == 0 or np.ptp(actual) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(predicted), rankdata(actual))[0, 1])


def auc(predicted: Floats, n_correct: Floats, n_wrong: Floats) -> float | None:
    """Chance that a correct outcome has the higher prediction, ties counted half; None without both kinds."""
    if n_correct.sum() == 0 or n_wrong.sum() == 0:
        return None
    _, place = np.unique(predicted, return_inverse=True)
    right, wrong = np.bincount(place, n_correct), np.bincount(place, n_wrong)
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2.0)).sum() / (right.sum() * wrong.sum()))


def calibration_error(predicted: Floats, n_correct: Floats, n: Floats) -> float | None:
    """Mean distance of prediction and share correct over tenths of the graded prompts by prediction."""
    graded = np.flatnonzero(n > 0)
    if not len(graded):
        return None
    # Equal predictions share a group: the mean of all prompts is one group, whatever their order.
    cuts = np.quantile(predicted[graded], np.arange(1, _N_GROUPS) / _N_GROUPS)
    place = np.searchsorted(cuts, predicted[graded], side="right")
    groups = [graded[place == group] for group in np.unique(place)]
    gaps = [abs(float(predicted[g].mean()) - float((n_correct[g] / n[g]).mean())) for g in groups]
    return float(np.average(gaps, weights=[len(group) for group in groups]))
