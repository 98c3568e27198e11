"""Which arms are worth considering under an average budget: those on a hull of cost and logged accuracy.

Among hundreds of arms the best forecast of a prompt is too often luck; a hull removes much of it (METHODS 6.7).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.budget import Forecasts
from planner.core import Unit
from planner.curves.logs import Floats
from planner.policy.frontier import mixture_hull
from planner.policy.restrict import Mask, fitting

USUAL = 0.5  # an arm that fits the ceilings on fewer of the sample's prompts shapes no hull


def group_shares(bins: Floats) -> Floats:
    """(1 + B, P) weights that average over all prompts, and over those believed to be of each bin."""
    everyone = np.ones((len(bins), 1), dtype=np.float32)
    shares = np.concatenate([everyone, bins], axis=1).T
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def hull_arms(
    forecasts: Forecasts,
    bins: Floats,
    logged_accuracy: Floats,
    mask: Mask,
    unit: Unit,
    ceilings: Mapping[Unit, float],
) -> Mask:
    """(A,) arms of `mask` on the hull of all prompts, or on that of the prompts believed to be of one bin.

    forecasts, bins (P, B): of a sample of prompts. logged_accuracy: (1 + B, A) by the groups of `group_shares`.
    """
    cost = forecasts.cost(unit).astype(np.float64)
    usual = fitting(forecasts, mask, ceilings).mean(axis=0) >= USUAL
    chosen = np.zeros(len(mask), dtype=bool)
    for accuracy, group_cost in zip(logged_accuracy, group_shares(bins) @ cost, strict=True):
        hull = mixture_hull(np.where(usual, group_cost, np.nan), np.where(usual, accuracy, np.nan))
        chosen[list(hull.indices)] = True
    return chosen if chosen.any() else mask
