from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import simulated as world

from planner.curves.tabulation import tabulate
from planner.policy.fit import fit_policy


@pytest.fixture(scope="session")
def pooled_logs():
    rng = np.random.default_rng(0)
    return world.pooled_logs(world.draw_prompts(20, rng), rng, n_small=16, n_larger=4)


@pytest.fixture(scope="session")
def pooled_table(pooled_logs):
    return tabulate(pooled_logs, cascades=False)


@pytest.fixture(scope="session")
def policy(pooled_table, pooled_logs):
    return fit_policy(pooled_table, logs=pooled_logs, seed=0)
