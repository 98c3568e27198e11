"""From features to a pass rate: LightGBM and a ridge regression, blended as it serves on held-out folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.curves.side_by_side import side_by_side
from planner.difficulty.latent import Doubles

if TYPE_CHECKING:
    import lightgbm

N_FOLDS = 5
_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_TREE_COUNTS = (10, 20, 40, 80, 120, 160)
LEAST_RATE = 0.003


@dataclass(frozen=True)
class Ridge:
    """Linear prediction of the pass rate: coefficients (F,) and intercept."""

    coefficients: Doubles
    intercept: float

    def predict(self, features: Floats) -> Doubles:
        """Predicted pass rates; (P,)."""
        return np.asarray(features.dot(self.coefficients) + self.intercept)


@dataclass(frozen=True)
class Blend:
    """Fitted regressors: LightGBM text, ridge, and the share of the ridge in the blend of their logits."""

    model_text: str
    n_trees: int
    ridge: Ridge
    ridge_share: float


@dataclass(frozen=True)
class FittedBlend:
    """A blend, and the logit that it gives each training prompt from the other folds."""

    blend: Blend
    held_out_logit: Doubles


def logit(rate: Doubles) -> Doubles:
    """Log odds, of rates kept away from 0 and 1."""
    kept = np.minimum(np.maximum(rate, LEAST_RATE), 1.0 - LEAST_RATE)
    return np.asarray(np.log(kept / (1.0 - kept)))


def sigmoid(logits: Doubles) -> Doubles:
    """Rates of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def mix(trees: Doubles, ridge: Doubles, share: float) -> Doubles:
    """Logit of the blend, from the predicted rates of both regressors."""
    of_trees, of_ridge = logit(np.array((trees, ridge)))
    return np.asarray((1.0 - share) * of_trees + share * of_ridge)


def deviance(target: Doubles, logits: Doubles, weight: Doubles) -> float:
    """Mean binomial deviance of logits against rates in 0..1."""
    loss = np.logaddexp(0.0, logits) - target * logits
    return float(np.average(loss, weights=weight))


def fit_blend(features: Floats, target: Doubles, weight: Doubles, folds: NDArray[np.intp], *, seed: int) -> FittedBlend:
    """Fits on all prompts; number of trees, ridge strength and blend are chosen on held-out folds."""
    n_folds = int(folds.max()) + 1
    counts = _TREE_COUNTS
    trees = np.empty((len(target), len(counts)))
    ridges = np.empty((len(target), len(_STRENGTHS)))

    def hold_out(fold: int) -> None:
        test, train = folds == fold, folds != fold
        booster = train_trees(features[train], target[train], weight[train], counts[-1], seed=seed)
        trees[test] = np.stack([_predicted(booster, features[test], count) for count in counts], axis=1)
        models = fit_ridges(features[train], target[train], weight[train])
        ridges[test] = np.stack([model.predict(features[test]) for model in models], axis=1)

    side_by_side(hold_out, ((fold,) for fold in range(n_folds)))
    n_trees = min(range(len(counts)), key=lambda i: deviance(target, logit(trees[:, i]), weight))
    strength = min(range(len(_STRENGTHS)), key=lambda i: deviance(target, logit(ridges[:, i]), weight))
    candidates = {share: mix(trees[:, n_trees], ridges[:, strength], share) for share in _SHARES}
    share = min(_SHARES, key=lambda share: deviance(target, candidates[share], weight))
    booster = train_trees(features, target, weight, counts[n_trees], seed=seed)
    return FittedBlend(
        Blend(
            model_text=booster.model_to_string(num_iteration=counts[n_trees]),
            n_trees=counts[n_trees],
            ridge=fit_ridges(features, target, weight)[strength],
            ridge_share=share,
        ),
        candidates[share],
    )


def train_trees(features: Floats, target: Doubles, weight: Doubles, n_trees: int, *, seed: int) -> lightgbm.Booster:
    """LightGBM on pass rates in 0..1, the same bytes for the same data and seed."""
    import lightgbm  # noqa: PLC0415 - pulls in sklearn: never where a recommendation is served

    n = len(target)
    parameters: dict[str, Any] = {
        "objective": "cross_entropy",
        "learning_rate": 0.06,
        "num_leaves": int(np.clip(n // 40, 4, 31)),
        "min_data_in_leaf": int(np.clip(n // 40, 5, 40)),
        "feature_fraction": 0.4,
        "lambda_l2": 5.0,
        "min_sum_hessian_in_leaf": 0.5,
        "max_bin": 63,
        "seed": seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(
        features, label=target, weight=weight, params={"max_bin": 63, "num_threads": 1, "verbosity": -1}
    )
    return lightgbm.train(parameters, data, num_boost_round=n_trees)


def _predicted(booster: lightgbm.Booster, features: Floats, n_trees: int) -> Doubles:
    # LightGBM has one number of threads for the whole process, by which what runs in other threads has made its
    # buffers: with another number here than where trees are grown beside it, they are read past their ends.
    return np.asarray(booster.predict(features, num_iteration=n_trees, num_threads=1))


def fit_ridges(features: Floats, target: Doubles, weight: Doubles) -> list[Ridge]:
    """Weighted ridge regressions of the rate, one for each strength (times the number of prompts)."""
    x = features.astype(np.float64)
    share = weight / weight.sum()
    middle, mean = share @ x, float(share @ target)
    x = x - middle
    values, vectors = np.linalg.eigh((x * share[:, None]).T @ x)
    moment = vectors.T @ ((x * share[:, None]).T @ (target - mean))
    effective = weight.sum() ** 2 / (weight**2).sum()
    models = []
    for strength in _STRENGTHS:
        penalty = strength * 100.0 / effective
        coefficients = vectors @ (moment / (np.maximum(values, 0.0) + penalty))
        models.append(Ridge(coefficients, mean - float(middle @ coefficients)))
    return models
