"""Expected outcome of every (bin, arm) cell: a hierarchical logistic model with partial pooling (METHODS 6.2).

The logits of the cells have a Gaussian prior (`structure`): a level by bin; generators, families, their slope and curve
over log2 N, arms and single cells add their parts. The strengths of the parts maximise the marginal likelihood
(Laplace), so thin cells borrow from their family and well-filled cells keep their own mean. Nothing is forced to rise
or fall with N.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.budget.strengths import Doubles
from planner.budget.structure import Structure, Variances, family, structure
from planner.core import Arm

MOST_ARMS = 128  # in one block: time is cubic in its cells
SEARCH_CELLS = 300  # strengths are estimated on arms evenly taken from all: a marginal likelihood is cubic in cells
STEPS = (4.0, 0.25)
N_SWEEPS = 3
LEAST_GAIN, LEAST_SWEEP_GAIN = 0.05, 0.5  # in log marginal likelihood: less is not evidence
LEAST_STRENGTH, MOST_STRENGTH = 1e-5, 30.0


@dataclass(frozen=True)
class CellCounts:
    """Effective outcomes of each cell, and how many of them are right; (B, A)."""

    n: Doubles
    right: Doubles

    def take_arms(self, arms: NDArray[np.intp]) -> CellCounts:
        """The counts of some arms."""
        return CellCounts(self.n[:, arms], self.right[:, arms])


@dataclass(frozen=True)
class Cells:
    """Expected accuracy of each cell and its variance; (B, A)."""

    accuracy: Doubles
    variance: Doubles


def count(outcome: Doubles, weight: Doubles, membership: Doubles) -> CellCounts:
    """Outcomes (P, A) shared out to the bins by `membership` (P, B); `weight` (P, A) effective outcomes, 0 for none."""
    right = np.where(weight > 0, np.nan_to_num(outcome) * weight, 0.0)
    return CellCounts(membership.T @ weight, membership.T @ right)


def fit_cells(arms: tuple[Arm, ...], generations: Doubles, own: CellCounts, whole: CellCounts) -> Cells:
    """Pooled cells. `own` counts weigh arms against each other, `whole` (every source of noise) gives the variance.

    generations: (A,) expected generations of each arm.
    """
    variances = _strengths(arms, generations, own)
    accuracy, variance = np.empty(own.n.shape), np.empty(own.n.shape)
    for block in _blocks(arms):
        part = tuple(arms[i] for i in block)
        cells = _fit_block(part, generations[block], own.take_arms(block), whole.take_arms(block), variances)
        accuracy[:, block], variance[:, block] = cells.accuracy, cells.variance
    return Cells(accuracy, variance)


def _blocks(arms: tuple[Arm, ...]) -> list[NDArray[np.intp]]:
    """Arms that are fitted together: all, or where they are many, those of like families."""
    names = np.array([family(arm) for arm in arms])
    order = np.argsort(names, kind="stable")
    return [np.sort(block) for block in np.array_split(order, -(-len(arms) // MOST_ARMS))]


def _fit_block(
    arms: tuple[Arm, ...], generations: Doubles, own: CellCounts, whole: CellCounts, variances: Variances
) -> Cells:
    n_bins, n_arms = own.n.shape
    prior = structure(arms, generations, n_bins).covariance(variances)
    logit = _Posterior.fit(prior, own.n.ravel(), own.right.ravel()).logit
    accuracy = _sigmoid(logit)
    slope = accuracy * (1 - accuracy)
    spread = _variance(prior, whole.n.ravel() * np.maximum(slope, 1e-3))
    # A cell near 0 or 1 has hardly any slope left; its variance is that of a share that has seen so many outcomes.
    floor = (slope + 0.25 / (whole.n.ravel() + 2)) / (whole.n.ravel() + 2)
    variance = np.maximum(slope**2 * spread, np.minimum(floor, slope**2 * spread + 1e-4))
    return Cells(accuracy.reshape(n_bins, n_arms), variance.reshape(n_bins, n_arms))


def _strengths(arms: tuple[Arm, ...], generations: Doubles, counts: CellCounts) -> Variances:
    """Variances of the prior by coordinate search on the marginal likelihood."""
    n_bins, n_arms = counts.n.shape
    most = max(1, SEARCH_CELLS // n_bins)
    chosen = np.unique(np.linspace(0, n_arms - 1, min(n_arms, most)).astype(np.intp))
    kinds = structure(tuple(arms[i] for i in chosen), generations[chosen], n_bins)
    few = counts.take_arms(chosen)
    best = Variances()
    found = _fit_mode(kinds, best, few)
    for sweep in range(N_SWEEPS):
        before = found.evidence
        for index in range(len(kinds.parts)):
            for step in STEPS:
                factor = step if sweep == 0 else step ** (0.5**sweep)
                while True:
                    tried = best.scaled(index, factor)
                    if not LEAST_STRENGTH <= list(vars(tried).values())[index] <= MOST_STRENGTH:
                        break
                    other = _fit_mode(kinds, tried, few, start=found.logit)
                    if other.evidence <= found.evidence + LEAST_GAIN:
                        break
                    best, found = tried, other
        if found.evidence - before < LEAST_SWEEP_GAIN:
            break
    return best


def _fit_mode(
    kinds: Structure, variances: Variances, counts: CellCounts, *, start: Doubles | None = None
) -> _Posterior:
    return _Posterior.fit(kinds.covariance(variances), counts.n.ravel(), counts.right.ravel(), start=start)


@dataclass(frozen=True)
class _Posterior:
    """Mode of the logits and the log marginal likelihood (Rasmussen and Williams 2006, algorithm 3.1)."""

    logit: Doubles
    evidence: float

    @classmethod
    def fit(cls, prior: Doubles, n: Doubles, right: Doubles, *, start: Doubles | None = None) -> _Posterior:
        """Newton's method; `start` is the mode under strengths close by, from which few steps are left."""
        from scipy.linalg import cho_solve  # noqa: PLC0415 - not on the path of a recommendation

        logit = np.zeros(len(n)) if start is None else start
        best, step = -np.inf, np.zeros(len(n))
        half_log_determinant = 0.0
        for _ in range(30):
            p = _sigmoid(logit)
            root = np.sqrt(n * np.maximum(p * (1 - p), 1e-6))
            factor = np.linalg.cholesky(np.eye(len(n)) + root[:, None] * prior * root)
            gradient = root**2 * logit + right - n * p
            step = gradient - root * cho_solve((factor, True), root * (prior @ gradient), check_finite=False)
            moved = prior @ step
            value = _objective(moved, step, n, right)
            if value < best - 1e-6:  # an overlong Newton step: go half of it
                moved = 0.5 * (moved + logit)
            half_log_determinant = float(np.log(np.diag(factor)).sum())
            done = abs(value - best) < 1e-4 * (1 + abs(value)) * 0.1
            best, logit = max(best, value), moved
            if done:
                break
        return cls(logit, best - half_log_determinant)


def _objective(logit: Doubles, dual: Doubles, n: Doubles, right: Doubles) -> float:
    return float((right * logit - n * np.logaddexp(0, logit)).sum() - 0.5 * dual @ logit)


def _variance(prior: Doubles, information: Doubles) -> Doubles:
    from scipy.linalg import solve_triangular  # noqa: PLC0415 - not on the path of a recommendation

    root = np.sqrt(information)
    factor = np.linalg.cholesky(np.eye(len(root)) + root[:, None] * prior * root)
    explained = solve_triangular(factor, root[:, None] * prior, lower=True, check_finite=False)
    return np.asarray(np.maximum(np.diag(prior) - (explained**2).sum(axis=0), 1e-10))


def _sigmoid(x: Doubles) -> Doubles:
    return 0.5 * (1.0 + np.tanh(0.5 * x))
