from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import simulated as world

from tests.bench.worlds import two_fold_errors


def test_arms_chosen_on_one_half_are_reported_truly_on_the_other():
    truth = np.mean([world.true_accuracy(world.ARMS, seed=seed) for seed in (1, 2)], axis=0)
    errors = [two_fold_errors(truth, seed, n_per_bin=60) for seed in (200, 201)]
    assert abs(np.mean(errors)) < 1.0
