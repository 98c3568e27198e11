from __future__ import annotations

import numpy as np
import pytest

from planner.difficulty import DifficultyPredictor, difficulty_report
from planner.difficulty.report import auc, calibration_error, spearman
from planner.errors import NotReady


def test_the_report_shows_the_predictor_beside_every_baseline(fitted, unseen):
    report = difficulty_report(fitted, unseen.table)
    assert report["predictor"]["spearman"] > 0.8 > report["nearest_neighbours"]["spearman"]
    assert report["global_mean"]["auc"] == pytest.approx(0.5)
    assert report["predictor"]["calibration_error"] < 0.1
    assert report["log_score_over_prior"] > 0.5
    assert report["dataset_mean"]["spearman"] == 0


def test_a_predictor_from_an_artifact_has_no_baselines(fitted, unseen):
    back = DifficultyPredictor.from_state(*fitted.to_state())
    with pytest.raises(NotReady, match="where it is fitted"):
        difficulty_report(back, unseen.table)


def test_auc_counts_ties_by_half():
    assert auc(np.array([0.1, 0.9, 0.9]), np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0])) == 0.75
    assert auc(np.array([0.1]), np.array([1.0]), np.array([0.0])) is None


def test_calibration_error_is_zero_for_true_rates_and_none_without_outcomes():
    rates, n = np.linspace(0.05, 0.95, 40), np.full(40, 20.0)
    assert calibration_error(rates, rates * n, n) == pytest.approx(0, abs=1e-9)
    assert calibration_error(rates, rates * 0, n * 0) is None


def test_spearman_of_a_constant_is_zero():
    assert spearman(np.ones(3), np.arange(3.0)) == 0
    assert spearman(np.array([1.0, 2, 9]), np.arange(3.0)) == pytest.approx(1)


def test_a_constant_prediction_is_one_group_of_calibration():
    correct = np.array([0.0] * 20 + [1.0] * 20)
    assert calibration_error(np.full(40, 0.5), correct, np.ones(40)) == 0
