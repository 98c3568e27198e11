from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import simulated as world

from planner.compiled import BUILT
from planner.curves.tabulation import tabulate
from planner.policy.fit import fit_policy


@pytest.fixture(scope="session", autouse=True)
def built():
    if not BUILT:
        pytest.skip("nothing was compiled here: install the project where there is a C compiler (`make test` does)")


@pytest.fixture(scope="session")
def policy():
    """One of fixed arms and cascades, with a verifier and two generators."""
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(40, rng), rng, n_small=16, n_larger=4)
    return fit_policy(tabulate(logs, cascades=True), logs=logs, seed=0)
