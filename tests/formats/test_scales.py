"""Scores outside 0..1 are mapped by a logistic that is kept for the verifier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.batch import ScoreScale
from planner.errors import InvalidInput
from planner.formats import import_logs
from planner.formats.scales import fit_scale, scaled

FINITE = st.floats(-1e6, 1e6)


def test_a_logistic_is_found_again_from_grades():
    rng = np.random.default_rng(0)
    scores = rng.normal(2, 3, size=20_000)
    correct = (rng.random(20_000) < 1 / (1 + np.exp(-(0.8 * scores - 1.5)))).astype(float)
    scale = fit_scale(scores, correct)
    assert (scale.slope, scale.intercept) == (pytest.approx(0.8, rel=0.05), pytest.approx(-1.5, rel=0.05))
    assert scale.fitted_on == "grades"


def test_without_grades_scores_are_standardised():
    scale = fit_scale(np.array([1.0, 3.0, 5.0]), np.full(3, np.nan))
    assert scale.fitted_on == "scores"
    assert scaled(scale, 3.0) == pytest.approx(0.5)


def test_scores_that_fall_with_correctness_keep_their_order():
    scores = np.arange(100.0)
    assert fit_scale(scores, (scores < 50).astype(float)).slope > 0


def test_grades_that_scores_separate_give_a_finite_scale():
    scores = np.r_[np.zeros(50), np.ones(50)] * 10
    scale = fit_scale(scores, scores / 10)
    assert scaled(scale, 0.0) < 0.1
    assert 0.9 < scaled(scale, 10.0) <= 1


@given(st.floats(1e-3, 1e3), FINITE, FINITE, FINITE)
def test_a_mapped_score_lies_in_the_unit_interval_and_keeps_order(slope, intercept, one, other):
    scale = ScoreScale(slope, intercept, "scores")
    low, high = sorted((one, other))
    assert 0 <= scaled(scale, low) <= scaled(scale, high) <= 1


@given(st.lists(FINITE, min_size=1, max_size=50), st.data())
def test_any_finite_scores_give_a_rising_finite_scale(scores, data):
    correct = data.draw(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=len(scores), max_size=len(scores)))
    scale = fit_scale(np.array(scores), np.array(correct))
    assert scale.slope > 0
    assert np.isfinite([scale.slope, scale.intercept]).all()


def logits(good, name, values, *, verifier="prm"):
    samples = [{"chain": i, "answer": str(i), "score": value} for i, value in enumerate(values)]
    return good | {"run_id": name, "verifier": verifier, "samples": samples}


def test_scores_on_another_scale_are_mapped_with_a_warning(good, store, rows, write_lines):
    report = import_logs(store, write_lines(good, logits(good, "r2", [-3.0, 0.0, 4.5])))
    found = [row["score"] for row in rows("SELECT score FROM samples")]
    assert all(0 < score < 1 for score in found)
    assert any("prm: scores outside 0..1 are mapped by sigmoid(" in warning for warning in report.warnings)


def test_a_later_import_of_the_verifier_uses_the_same_scale(good, store, rows, write_lines):
    import_logs(store, write_lines(logits(good, "r1", [-3.0, 0.0, 4.5])))
    import_logs(store, write_lines(logits(good, "r2", [4.5, 0.5]), name="later.jsonl"))
    first = rows("SELECT score FROM samples JOIN runs USING (run_key) WHERE run_id = 'r1' AND chain = 2")
    later = rows("SELECT score FROM samples JOIN runs USING (run_key) WHERE run_id = 'r2' AND chain = 0")
    assert first == later


def test_other_verifiers_keep_their_scores(good, store, rows, write_lines):
    import_logs(store, write_lines(logits(good, "r1", [-3.0, 4.5]), logits(good, "r2", [0.25], verifier="orm")))
    assert rows("SELECT score FROM samples JOIN runs USING (run_key) WHERE run_id = 'r2'") == [{"score": 0.25}]


def test_rounding_past_a_bound_is_cut_off_and_not_mapped(good, store, rows, write_lines):
    report = import_logs(store, write_lines(logits(good, "r1", [1.0000001, 0.3])))
    assert [row["score"] for row in rows("SELECT score FROM samples ORDER BY chain")] == [1.0, 0.3]
    assert report.warnings == ()


def test_scores_on_another_scale_need_the_name_of_a_verifier(good, store, contents, write_lines):
    before = contents()
    with pytest.raises(InvalidInput, match="beside no verifier"):
        import_logs(store, write_lines(logits(good, "r1", [7.0], verifier=None)))
    assert contents() == before
