"""What a policy expects of its arms on prompts of each bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.core import Unit
from planner.policy import Policy

Doubles = NDArray[np.float64]


def by_bin(policy: Policy, unit: Unit) -> tuple[Doubles, Doubles, Doubles]:
    """Accuracy, its standard error and cost, (1 + B, A) each: all prompts first, then each bin.

    The cost in a bin is that of the stored sample of prompts, weighted by how surely each is of that bin.
    """
    model, bins = policy.budget_model, policy.sample.bins
    weights = np.vstack([np.ones(len(bins)), bins.T])
    weights = weights / weights.sum(axis=1, keepdims=True)
    mix = np.vstack([policy.traffic.bins, np.eye(len(model.accuracy_))])
    error = np.sqrt(np.square(mix) @ model.variance_)
    return mix @ model.accuracy_, error, weights @ policy.traffic.forecasts.cost(unit)
