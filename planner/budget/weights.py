"""How many independent outcomes a pooled outcome is worth: samples of one prompt are alike."""

from __future__ import annotations

import numpy as np

from planner.budget.strengths import Doubles

LEAST_CORRELATION = 0.02


def effective(n_samples: Doubles, correlation: Doubles) -> Doubles:
    """Effective outcomes n / (1 + (n - 1) rho), (P, A), from samples (P, A) and intraclass correlations (A,)."""
    return np.where(n_samples > 0, n_samples / (1 + np.maximum(n_samples - 1, 0) * correlation), 0.0)


def correlations(outcome: Doubles, n_samples: Doubles, base: Doubles) -> Doubles:
    """Intraclass correlation (A,) of an arm's outcomes within a prompt, given the base forecast of the prompt.

    By moments: E (y - p)^2 = p (1 - p) [rho + (1 - rho) / n]. Arms of single runs alone get 1, which changes nothing.
    """
    known = n_samples > 0
    spread = np.where(known, base * (1 - base), 0.0)
    noise = np.where(known, spread / np.maximum(n_samples, 1), 0.0)
    residual = np.where(known, (np.nan_to_num(outcome) - base) ** 2, 0.0)
    excess, room = (residual - noise).sum(axis=0), (spread - noise).sum(axis=0)
    return np.where(room > 1e-9, np.clip(excess / np.maximum(room, 1e-9), LEAST_CORRELATION, 1.0), 1.0)


def own_correlations(outcome: Doubles, n_samples: Doubles, base: Doubles) -> Doubles:
    """As `correlations`, but of what is an arm's own: the part of a prompt that all arms share cancels between arms."""
    known = (n_samples > 0).astype(float)
    deviation = known * (np.nan_to_num(outcome) - base)
    shared = deviation.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    several = known.sum(axis=1) > 2
    cleared = outcome - np.where(several, shared, 0.0)[:, None]
    return correlations(cleared, n_samples, base)
