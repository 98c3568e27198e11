from __future__ import annotations

import numpy as np
import pytest

from planner.difficulty.discriminant import fit_discriminant

FOLDS = np.arange(100) % 5
PRIOR = np.full(5, 0.2)
BLURRED = np.full((100, 5), 0.2)


def drawn(*, telling, seed=0):
    rng = np.random.default_rng(seed)
    bins = rng.integers(5, size=100)
    membership = np.eye(5)[bins] * 0.9 + 0.02
    features = rng.normal(size=(100, 30)).astype(np.float32)
    if telling:
        features[np.arange(100), bins] += 4
    return features, membership, bins


def test_features_that_name_the_bin_sharpen_a_blurred_posterior():
    features, membership, bins = drawn(telling=True)
    fitted = fit_discriminant(features, BLURRED, membership, membership / PRIOR, PRIOR, FOLDS)
    assert fitted.held_out[np.arange(100), bins].mean() > 0.7
    unseen, _, theirs = drawn(telling=True, seed=1)
    assert (fitted.discriminant.apply(BLURRED, unseen).argmax(axis=1) == theirs).mean() > 0.8


@pytest.mark.parametrize("seed", range(5))
def test_features_of_noise_leave_the_posterior_as_it_is(seed):
    features, membership, _ = drawn(telling=False, seed=seed)
    fitted = fit_discriminant(features, BLURRED, membership, membership / PRIOR, PRIOR, FOLDS)
    assert fitted.discriminant.idle
    assert fitted.held_out is BLURRED


def test_outcomes_that_tell_no_bin_leave_the_posterior_as_it_is():
    features, membership, _ = drawn(telling=True)
    assert fit_discriminant(features, BLURRED, membership, np.ones((100, 5)), PRIOR, FOLDS).discriminant.idle
