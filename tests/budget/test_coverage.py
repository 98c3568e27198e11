from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import simulated as world

from planner.budget import BudgetModel
from planner.curves.tabulation import tabulate
from planner.difficulty import DifficultyPredictor

LEAST_PROMPTS = 30
SIZES = (1, 4, 16)


def hits(table, rng):
    """Whether the interval held, for every predicted bin and arm of the held-out half."""
    order = rng.permutation(len(table.prompts))
    half = len(order) // 2
    train, test = table.take_prompts(np.sort(order[:half])), table.take_prompts(np.sort(order[half:]))
    predictor = DifficultyPredictor().fit(train)
    model = BudgetModel().fit(train, predictor.belief_, predictor.membership_)
    belief = predictor.believe(test.prompts.texts, test.prompts.datasets, test.prompts.metadata)
    forecasts, group = model.forecast(belief), belief.bins.argmax(axis=1)
    out = []
    for b in range(belief.bins.shape[1]):
        rows = np.flatnonzero(group == b)
        if len(rows) < LEAST_PROMPTS:
            continue
        outcome = test.outcome[rows]
        error = np.sqrt(forecasts.stderr[rows].mean(axis=0) ** 2 + outcome.var(axis=0) / len(rows))
        gap = np.abs(outcome.mean(axis=0) - forecasts.accuracy[rows].mean(axis=0))
        out.append((gap < 1.645 * error).mean())
    return out


@pytest.mark.parametrize("correlation", [None, 0.5])
def test_intervals_hold_the_mean_of_held_out_groups_as_often_as_they_claim(correlation):
    held = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        prompts = world.draw_prompts(80, rng, correlation=correlation)
        table = tabulate(world.pooled_logs(prompts, rng, n_small=16, n_larger=8), cascades=False)
        table = table.take_arms([i for i, arm in enumerate(table.arms) if arm.breadth in SIZES])
        held += hits(table, rng)
    assert 0.83 <= np.mean(held) <= 0.97
