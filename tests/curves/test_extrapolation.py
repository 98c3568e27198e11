from __future__ import annotations

import numpy as np
import pytest

from planner.curves import beta_binomial_pass_at_k, extrapolate_pass_at_k, fit_beta_binomial, pass_at_k
from planner.curves.extrapolation import BetaBinomial
from planner.errors import InvalidInput


@pytest.mark.parametrize(("k", "value"), [(10, 0.325182), (1_000, 0.723328), (10_000, 0.825382)])
def test_the_beta_binomial_has_the_known_values(k, value):
    assert beta_binomial_pass_at_k(0.2, 2, k) == pytest.approx(value, abs=5e-7)


def test_a_fit_recovers_what_the_counts_were_drawn_from():
    rng = np.random.default_rng(0)
    correct = rng.binomial(50, rng.beta(0.6, 2.0, 4_000))
    fitted = fit_beta_binomial(np.full(4_000, 50), correct)
    assert fitted.a == pytest.approx(0.6, rel=0.1)
    assert fitted.b == pytest.approx(2.0, rel=0.1)


def test_a_zero_inflated_fit_finds_the_share_that_is_never_solved():
    rng = np.random.default_rng(1)
    rate = np.where(rng.random(4_000) < 0.3, 0.0, rng.beta(2.0, 3.0, 4_000))
    fitted = fit_beta_binomial(np.full(4_000, 40), rng.binomial(40, rate), zero_inflated=True)
    assert fitted.never == pytest.approx(0.3, abs=0.03)


def test_a_zero_inflated_fit_is_never_less_likely_than_the_plain_one():
    rng = np.random.default_rng(2)
    n = rng.integers(1, 20, 300)
    correct = rng.binomial(n, rng.beta(1.0, 1.0, 300))
    plain, inflated = (fit_beta_binomial(n, correct, zero_inflated=flag) for flag in (False, True))
    assert inflated.log_likelihood >= plain.log_likelihood


@pytest.mark.parametrize("correct", [[0, 0, 0], [8, 8, 8], [0, 8, 0]])
def test_counts_all_or_nothing_still_fit(correct):
    fitted = fit_beta_binomial([8, 8, 8], correct, zero_inflated=True)
    assert 0 <= fitted.pass_at_k(100) <= 1


def test_within_the_log_the_mean_is_exact_and_not_marked():
    found = extrapolate_pass_at_k([10, 12], [3, 0], 5)
    assert not found.extrapolated
    assert found.value == pytest.approx(pass_at_k(10, 3, 5) / 2)


def test_past_the_log_the_fit_answers_and_says_so():
    rng = np.random.default_rng(3)
    rate = rng.beta(0.5, 2.0, 2_000)
    found = extrapolate_pass_at_k(np.full(2_000, 50), rng.binomial(50, rate), 500)
    assert found.extrapolated
    assert found.value == pytest.approx(np.mean(1 - (1 - rate) ** 500), abs=0.03)


def test_what_was_seen_of_a_prompt_moves_its_forecast():
    model = BetaBinomial(0.5, 1.0, never=0.2)
    assert model.given(20, 0, 10) < model.given(0, 0, 10) < model.given(20, 10, 10)
    assert model.given(0, 0, 10) == pytest.approx(model.pass_at_k(10))


def test_counts_that_cannot_be_are_refused():
    for n, c in (([3], [4]), ([3, 3], [1]), ([0], [0]), ([], [])):
        with pytest.raises(InvalidInput):
            fit_beta_binomial(n, c)
    with pytest.raises(InvalidInput):
        beta_binomial_pass_at_k(0, 1, 3)
    with pytest.raises(InvalidInput):
        extrapolate_pass_at_k([3], [1], 0)
