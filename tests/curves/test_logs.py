"""Logs of some prompts alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import lab_logs
import simulated as world

from planner.curves.tabulation import tabulate


@pytest.mark.parametrize("pooled", [True, False])
def test_the_table_of_some_prompts_is_part_of_the_table_of_all(pooled):
    rng = np.random.default_rng(3)
    logs = (
        world.pooled_logs(world.draw_prompts(6, rng), rng, n_small=4, n_larger=2)
        if pooled
        else world.single_arm_logs(1, rng)
    )
    rows = np.array([1, 4, 7, 20])
    some, whole = tabulate(logs.take_prompts(rows[::-1]), cascades=False), tabulate(logs, cascades=False)
    place = [whole.arms.index(arm) for arm in some.arms]
    assert some.prompts.ids == tuple(whole.prompts.ids[row] for row in rows)
    np.testing.assert_allclose(some.outcome, whole.outcome[np.ix_(rows, place)], atol=1e-6)


def test_candidates_stay_with_their_runs():
    some = lab_logs.lab_logs().take_prompts([3, 5, 11])
    assert len(some.candidates) > 0
    assert (some.runs.prompt[some.candidates.run] == some.candidates.prompt).all()
