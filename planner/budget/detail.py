"""What the text tells of single arms beyond difficulty: a logistic ridge on the residuals of the base forecast.

logit accuracy = logit base + w_arm . (1, s(x)). How much a feature may matter is shared by all arms and estimated
from them together, so that the data set may count where single words do not. The whole is then scaled by a factor
chosen on prompts left out: 0 where few data tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.budget.strengths import Doubles, solve_shared
from planner.curves.side_by_side import side_by_side

N_FOLDS = 5
SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
EDGE = 0.005  # a base forecast of 0 or 1 would bear no correction


@dataclass(frozen=True)
class DetailData:
    """Training data: design (P, F + 1) with a leading 1; outcome, weight, base (P, A); fold (P,)."""

    design: Doubles
    outcome: Doubles
    weight: Doubles
    base: Doubles
    fold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.design)


def fit_detail(data: DetailData) -> Doubles | None:
    """Weights (F + 1, A), or None where prompts left out are forecast no better with them."""
    evidence = [_evidence(data, np.flatnonzero(data.fold == k)) for k in range(N_FOLDS)]
    score, information = np.asarray(sum(e[0] for e in evidence)), np.asarray(sum(e[1] for e in evidence))
    weights = np.empty((N_FOLDS + 1, *score.T.shape))  # without each fold, then from all

    def solve(place: int, left_out: tuple[Doubles, Doubles]) -> None:
        weights[place] = solve_shared(score - left_out[0], information - left_out[1])

    side_by_side(solve, enumerate([*evidence, (np.zeros(1), np.zeros(1))]))
    scale = _best_scale(data, list(weights[:-1]))
    return scale * weights[-1] if scale > 0 else None


def detail_data(
    features: Doubles, outcome: Doubles, weight: Doubles, base: Doubles, fold: NDArray[np.int64]
) -> DetailData:
    """Training data from features (P, F), outcomes, their effective weights (0: none) and base forecasts (P, A)."""
    design = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    return DetailData(design, np.nan_to_num(outcome), weight, np.clip(base, EDGE, 1 - EDGE), fold)


def _evidence(data: DetailData, rows: NDArray[np.intp]) -> tuple[Doubles, Doubles]:
    """Score (A, F) and information (A, F, F) of some prompts at zero weights."""
    x, weight, base = data.design[rows], data.weight[rows], data.base[rows]
    score = (weight * (data.outcome[rows] - base)).T @ x
    spread = weight * base * (1 - base)
    return score, np.stack([(x * spread[:, arm, None]).T @ x for arm in range(spread.shape[1])])


def _best_scale(data: DetailData, held_out: list[Doubles]) -> float:
    gain = np.zeros((len(data), len(SCALES)))
    logit = np.log(data.base / (1 - data.base))
    for k, weights in enumerate(held_out):
        rows = np.flatnonzero(data.fold == k)
        shift = data.design[rows] @ weights
        for column, scale in enumerate(SCALES):
            moved = logit[rows] + scale * shift
            fit = data.outcome[rows] * moved - np.logaddexp(0, moved)
            gain[rows, column] = (data.weight[rows] * fit).sum(axis=1)
    gain -= gain[:, :1]
    # Prompts are what was drawn: a standard error over them keeps luck from switching the detail on.
    lower = gain.mean(axis=0) - gain.std(axis=0) / np.sqrt(len(data))
    return SCALES[int(np.argmax(lower))]
