from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import betainc

from planner.curves import voting
from planner.errors import InvalidInput


@pytest.mark.parametrize(
    ("world", "calls", "value"),
    [
        ((0.6, 0.85, 0.4), 5, 0.711009),
        ((0.7, 0.8, 0.3), 9, 0.715936),
        ((0.6, 0.75, 0.4), 11, None),
        ((0.8, 0.7, 0.45), 33, None),
        ((0.5, 0.7, 0.45), 17, None),
        ((0.55, 0.95, 0.35), 1, None),
    ],
)
def test_the_best_number_of_calls_has_the_known_values(world, calls, value):
    assert voting.best_calls(*world) == calls
    if value is not None:
        assert voting.accuracy(*world, calls) == pytest.approx(value, abs=5e-7)


shares, easy, hard = st.floats(0.02, 0.98), st.floats(0.55, 0.95), st.floats(0.05, 0.45)


@given(shares, easy, hard)
def test_the_shape_is_that_of_the_curve(share, p_easy, p_hard):
    first, second = (voting.accuracy(share, p_easy, p_hard, calls) for calls in (1, 3))
    # Between the first step and the last there is no other turn; steps near zero tell nothing.
    far = 21
    late, later = (voting.accuracy(share, p_easy, p_hard, calls) for calls in (far, far + 2))
    assume(abs(second - first) > 1e-6 and abs(later - late) > 1e-12)
    assume(abs(p_easy + p_hard - 1) > 0.05)
    shape = {
        (True, False): "inverse_u",
        (False, False): "decreasing",
        (True, True): "increasing",
        (False, True): "u",
    }
    late_rises = later > late
    expected = shape[second > first, late_rises]
    # A rise that has not yet turned at `far` calls looks like no turn at all.
    turned = {("inverse_u", "increasing"), ("u", "decreasing")}
    assert voting.shape(share, p_easy, p_hard) == expected or (voting.shape(share, p_easy, p_hard), expected) in turned


@given(st.floats(0.05, 0.45), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_no_number_of_calls_nearby_beats_the_best_of_an_inverse_u_by_much(p_hard, ease, surplus):
    p_easy = 1 - p_hard * (1 - 0.9 * ease)  # surer than the hard prompts are wrong: the vote falls in the end
    fall, rise = p_hard * (1 - p_hard) * (0.5 - p_hard), p_easy * (1 - p_easy) * (p_easy - 0.5)
    edge = fall / (fall + rise)  # above this share of easy prompts it rises first
    share = edge + surplus * (1 - edge)
    assert voting.shape(share, p_easy, p_hard) == "inverse_u"
    best = int(voting.best_calls(share, p_easy, p_hard))
    greatest = max(voting.accuracy(share, p_easy, p_hard, calls) for calls in range(1, min(best, 500) + 40, 2))
    assert voting.accuracy(share, p_easy, p_hard, best) >= greatest - 0.005


def test_calls_follow_the_shape():
    assert voting.shape(0.3, 0.95, 0.45) == "decreasing"
    assert voting.best_calls(0.3, 0.95, 0.45) == 1
    assert voting.shape(0.9, 0.6, 0.1) == "increasing"
    assert voting.best_calls(0.9, 0.6, 0.1) == math.inf
    assert voting.shape(0.2, 0.6, 0.3) == "u"
    with pytest.raises(InvalidInput, match="falls and then rises"):
        voting.best_calls(0.2, 0.6, 0.3)


def test_one_kind_of_prompt_alone_has_no_turn():
    assert voting.best_calls(1, 0.8, 0.4) == math.inf
    assert voting.best_calls(0, 0.6, 0.2) == 1


@pytest.mark.parametrize("world", [(1.2, 0.8, 0.4), (0.5, 0.4, 0.4), (0.5, 0.8, 0.6), (float("nan"), 0.8, 0.4)])
def test_shares_and_chances_outside_their_ranges_are_refused(world):
    with pytest.raises(InvalidInput):
        voting.shape(*world)


def test_an_even_vote_has_no_accuracy_here():
    with pytest.raises(InvalidInput, match="odd"):
        voting.accuracy(0.6, 0.85, 0.4, 4)


@pytest.mark.parametrize(("votes", "confidence"), [((4, 0), 0.96875), ((5, 1), 0.9375), ((6, 1), 0.96484375)])
def test_the_confidence_of_a_lead_has_the_known_values(votes, confidence):
    assert voting.vote_confidence(*votes) == confidence


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_confidence_of_a_lead_is_the_beta_tail(first, second):
    assert voting.vote_confidence(first, second) == pytest.approx(1 - betainc(first + 1, second + 1, 0.5), abs=1e-12)


def test_the_least_lead_that_stops_a_vote_is_known():
    least = [next(v1 for v1 in range(99) if voting.vote_confidence(v1, v2) >= 0.95) for v2 in range(8)]
    assert least == [4, 6, 8, 9, 11, 12, 14, 15]
