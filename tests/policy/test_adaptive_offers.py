"""Which plans traffic follows where an average is to be kept, and what the text of a prompt changes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.policy.adaptive.offers import Offers, Tilt

ACCURACY, COST = (0.6, 0.7, 0.75, 0.76), (1.0, 2.0, 4.0, 8.0)
STEPS = np.linspace(-2, 2, 41)
TILTS = (np.array([0.1, 0.05, 0.0, 0.0]), np.array([0.0, -0.2, -0.5, -1.0]))
FLAT = Offers.of((10, 11, 12, 13), ACCURACY, COST)
TILTED = Offers.of((10, 11, 12, 13), ACCURACY, COST, TILTS)


def test_without_a_text_two_neighbours_on_the_hull_are_mixed():
    mixture = FLAT.terms(3.0, np.zeros(1)).at(0.0)
    assert (mixture.lower, mixture.upper, mixture.share) == (11, 12, pytest.approx(0.5))


@given(st.floats(1.1, 6.5))
def test_traffic_costs_what_it_is_to_cost(value):
    spent, terms = [], TILTED.terms(value, STEPS)
    for step in STEPS.tolist():
        mixture = terms.at(step)
        costs = [COST[place - 10] + TILTS[1][place - 10] * step for place in (mixture.lower, mixture.upper)]
        spent.append((1 - mixture.share) * costs[0] + mixture.share * costs[1])
    assert np.mean(spent) == pytest.approx(value, rel=1e-3)


def test_a_prompt_on_which_one_sample_does_as_well_gets_fewer():
    easy, hard = (TILTED.terms(3.0, STEPS).at(step) for step in (1.9, -1.9))
    assert easy.upper < hard.lower


def test_less_than_the_cheapest_plan_costs_buys_nothing():
    assert FLAT.terms(0.9, np.zeros(1)) is None
    assert Offers.of((), (), ()).terms(5.0, np.zeros(1)) is None


def test_what_the_best_plan_leaves_is_spent_on_dearer_ones_up_to_the_dearest():
    dearer = [(6.0, 20), (10.0, 21), (20.0, 22)]  # the first is cheaper than the best plan
    mixture = FLAT.terms(9.0, np.zeros(1), dearer).at(0.0)
    assert (mixture.lower, mixture.upper, mixture.share) == (13, 21, pytest.approx(0.5))
    assert FLAT.terms(100.0, np.zeros(1), dearer).at(0.0).lower == 22


def test_a_slope_that_noise_could_have_made_is_none():
    rng = np.random.default_rng(0)
    rate = rng.random(300)
    grade = np.stack([rng.random(300), 0.2 + 0.5 * rate + 0.05 * rng.random(300), np.full(300, 0.5)], axis=1)
    cost = {"tokens": np.stack([np.ones(300), 2 - rate, np.full(300, 3.0)], axis=1)}
    tilt = Tilt.fit(rate, grade, cost)
    assert tilt.accuracy[0] == tilt.accuracy[2] == 0.0
    assert tilt.accuracy[1] == pytest.approx(0.5 * rate.std(), rel=0.1)
    assert tilt.cost["tokens"][1] == pytest.approx(-rate.std(), rel=0.05)


def test_a_rate_that_is_unknown_or_the_same_for_all_tells_nothing():
    rate = np.random.default_rng(0).random(300)
    grade, cost = np.stack([rate, 1 - rate], axis=1), {"tokens": np.ones((300, 2))}
    assert Tilt.fit(np.full(300, 0.4), grade, cost) is None
    assert Tilt.fit(np.full(300, np.nan), grade, cost) is None
    tilt = Tilt.fit(rate, grade, cost)
    assert tilt.step(None) == tilt.step(float("nan")) == 0.0
    assert tilt.step(5.0) == tilt.step(float(rate.max()))
