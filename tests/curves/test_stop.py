from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import AgreementStop, BetaVoteStop, ScoreStop
from planner.curves.stop import choose, least_lead, should_stop, vote_confidence
from planner.errors import InvalidInput


@pytest.mark.parametrize(("votes", "confidence"), [((4, 0), 0.96875), ((5, 1), 0.9375), ((6, 1), 0.96484375)])
def test_confidence_of_a_vote_is_that_of_adaptive_consistency(votes, confidence):
    assert vote_confidence(*votes) == pytest.approx(confidence, abs=1e-12)


def test_least_lead_is_the_published_table():
    assert least_lead(0.95, 16)[:8].tolist() == [4, 6, 8, 9, 11, 12, 14, 15]


def test_confidence_is_the_regularised_incomplete_beta_function():
    from scipy.special import betainc

    for first in range(12):
        for second in range(12):
            assert vote_confidence(first, second) == pytest.approx(1 - betainc(first + 1, second + 1, 0.5), abs=1e-12)


@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.6, 0.8, 0.9, 0.95]))
def test_least_lead_decides_as_the_confidence_does(first, second, confidence):
    assert (first >= least_lead(confidence, 30)[second]) == (vote_confidence(first, second) >= confidence)


@pytest.mark.parametrize(
    ("stop", "answers", "scores", "stops"),
    [
        (None, ["1", "1"], [1.0, 1.0], False),
        (ScoreStop(threshold=0.8), ["1", "2"], [0.9, 0.1], True),
        (ScoreStop(threshold=0.8), ["1", "2"], [0.8, 0.1], True),
        (ScoreStop(threshold=0.8), ["1", "2"], [0.7, None], False),
        (AgreementStop(share=0.7, min_samples=3), ["1", "1"], [None, None], False),
        (AgreementStop(share=0.7, min_samples=2), ["1", "1"], [None, None], True),
        (AgreementStop(share=0.7, min_samples=2), ["1"] * 7 + ["2"] * 3, [None] * 10, True),
        (AgreementStop(share=0.7, min_samples=2), ["1", "1", "2"], [None] * 3, False),
        (AgreementStop(share=0.7, min_samples=2), ["1", "1", None], [None] * 3, False),
        (BetaVoteStop(confidence=0.95), ["1"] * 4, [None] * 4, True),
        (BetaVoteStop(confidence=0.95), ["1"] * 5 + ["2"], [None] * 6, False),
        (BetaVoteStop(confidence=0.95), [None] * 9, [None] * 9, False),
    ],
)
def test_a_stage_stops_when_its_rule_holds(stop, answers, scores, stops):
    assert should_stop(stop, answers, scores) is stops


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        ("first", 0),
        ("last", 4),
        ("majority_vote", 0),
        ("weighted_vote", 2),
        ("filter_vote", 2),
        ("best_of_n", 2),
    ],
)
def test_the_answer_is_chosen_by_the_named_selection(selection, chosen):
    assert choose(selection, ["1", "1", "2", None, "1"], [0.1, 0.2, 0.9, 0.6, None]) == chosen


def test_a_filter_that_keeps_nothing_lets_all_vote():
    assert choose("filter_vote", ["1", "2", "2"], [0.4, 0.1, 0.2]) == 1


def test_no_candidate_and_an_unknown_selection_are_invalid():
    with pytest.raises(InvalidInput, match="no candidate"):
        choose("first", [], [])
    with pytest.raises(InvalidInput, match="cannot choose by 'loudest'"):
        choose("loudest", ["1"], [0.5])
