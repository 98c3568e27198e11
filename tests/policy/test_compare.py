from __future__ import annotations

import numpy as np

from planner.policy.compare import Performance, compare


def performance(accuracy, cost=1.0):
    accuracy = np.asarray(accuracy, np.float32)
    return Performance(accuracy, np.full(len(accuracy), cost, np.float32))


BEFORE = np.tile([0.0, 1.0, 1.0, 1.0], 100)


def test_an_equal_challenger_is_promoted():
    assert compare(performance(BEFORE), performance(BEFORE)).promoted


def test_a_worse_challenger_is_kept_back_with_the_reason():
    verdict = compare(performance(BEFORE * 0.95), performance(BEFORE))
    assert not verdict.promoted
    assert "may be worse" in verdict.reason


def test_an_unclear_difference_keeps_the_champion():
    rng = np.random.default_rng(0)
    noisy = (rng.random(60) < 0.7).astype(float)
    assert not compare(performance(noisy), performance(rng.permutation(noisy))).promoted


def test_a_dearer_challenger_is_kept_back():
    verdict = compare(performance(BEFORE, cost=1.2), performance(BEFORE))
    assert not verdict.promoted
    assert "costs more" in verdict.reason


def test_a_challenger_that_pays_where_nothing_was_paid_is_dearer():
    assert not compare(performance(BEFORE), performance(BEFORE, cost=0.0)).promoted


def test_prompts_unknown_to_either_side_are_left_out():
    accuracy = BEFORE.copy()
    accuracy[:100] = np.nan
    assert compare(performance(accuracy), performance(BEFORE)).n_prompts == 300


def test_too_few_common_prompts_keep_the_champion():
    verdict = compare(performance(BEFORE[:10]), performance(BEFORE[:10]))
    assert not verdict.promoted
    assert "`planner policies promote ID`" in verdict.reason
