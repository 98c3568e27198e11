"""A mean budget kept over what is carried out: the factor that corrects what is asked of the policy."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.api.mean_budget import LEAST_FACTOR, MOST_FACTOR, STEP, MeanBudget, with_mean
from planner.core import Budget

TARGET = 0.002


def costs_of(mean: MeanBudget, bias: float, n: int, *, delay: int = 1, slope: float = 1.0, spread: float = 1.2):
    """Costs and factors of runs whose cost is `bias` times what was forecast, known `delay` runs later."""
    rng = np.random.default_rng(0)
    under_way: deque[float] = deque()
    costs, factors = [], []
    for _ in range(n):
        expected = bias * TARGET * (mean.asked / TARGET) ** slope
        under_way.append(expected * rng.lognormal(-(spread**2) / 2, spread))
        factors.append(mean.factor)
        if len(under_way) >= delay:
            costs.append(under_way.popleft())
            mean.spent(costs[-1], in_flight=delay)
    return np.array(costs), np.array(factors)


@pytest.mark.parametrize("bias", [0.7, 0.85, 1.0, 1.15, 1.3])
@pytest.mark.parametrize("slope", [0.7, 1.5])
def test_spending_comes_within_a_few_percent_of_the_target_where_forecasts_are_biased(bias, slope):
    costs, _ = costs_of(MeanBudget("usd", TARGET), bias, 6000, slope=slope)
    assert abs(costs[2000:].mean() / TARGET - 1) < 0.04


@pytest.mark.parametrize("bias", [0.7, 1.3])
@pytest.mark.parametrize("delay", [1, 16, 256])
def test_it_settles_without_swinging_however_many_runs_are_under_way(bias, delay):
    """Costs without noise show the controller alone: it goes to its value from one side and stays."""
    _, factors = costs_of(MeanBudget("usd", TARGET), bias, 8000, delay=delay, spread=0.0)
    settled = 1 / bias
    far = np.abs(np.log(factors / settled))
    assert far[-4000:].max() <= 1.5 * STEP
    overshoot = np.log(factors / settled) * np.sign(np.log(settled))
    assert overshoot.max() <= 1.5 * STEP


def test_it_moves_slowly_under_noise():
    _, factors = costs_of(MeanBudget("usd", TARGET), 1.0, 10_000)
    assert np.log(factors[2000:]).std() < 0.12


def test_the_factor_is_bounded_and_comes_back_at_once():
    mean = MeanBudget("usd", TARGET)
    costs_of(mean, 10.0, 3000)
    assert mean.factor == pytest.approx(LEAST_FACTOR, rel=STEP)
    _, factors = costs_of(mean, 1.0, 2000)
    assert abs(np.log(factors[-500:]).mean()) < 0.15


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=50), st.integers(0, 1000))
def test_it_never_asks_for_more_or_less_than_its_bounds(costs, in_flight):
    mean = MeanBudget("tokens", 100.0)
    for cost in costs:
        mean.spent(cost, in_flight=in_flight)
    assert LEAST_FACTOR * (1 - STEP) <= mean.factor <= MOST_FACTOR * (1 + STEP)


def test_one_outlier_moves_it_little():
    mean = MeanBudget("usd", TARGET)
    mean.spent(1000 * TARGET)
    assert mean.factor > 0.9


@given(st.integers(100, 999), st.integers(-3, 12), st.lists(st.floats(0, 10), max_size=40))
def test_what_was_asked_for_a_target_is_told_from_what_was_asked_for_others(digits, exponent, costs):
    target = float(f"{digits}e{exponent}")
    mean = MeanBudget("flops", target)
    for cost in costs:
        mean.spent(cost * target)
    asked = Budget.model_validate_json(Budget(mean_flops=mean.asked).model_dump_json()).mean_flops
    assert MeanBudget.may_have_asked(target, asked)
    for other in (d * 10.0**exponent for d in range(100, 1000, 7) if d != digits):
        assert not MeanBudget.may_have_asked(other, asked) or other == pytest.approx(target)


@pytest.mark.parametrize(
    ("target", "asked"), [(2.01e8, 4e8), (4e8, 2.01e8), (1.0, 2.0), (1e-300, 1e300), (1e300, 1e-300)]
)
def test_another_target_within_the_bounds_of_the_factor_is_another_target(target, asked):
    assert not MeanBudget.may_have_asked(target, asked)


def test_the_budget_that_is_asked_for_differs_in_its_mean_alone():
    mean = MeanBudget("usd", TARGET)
    mean.begin_from([(1.2 * TARGET, None)])
    asked = mean.of(Budget(max_tokens=500, mean_usd=TARGET))
    assert asked.mean == ("usd", pytest.approx(1.2 * TARGET, rel=STEP))
    assert asked.ceilings == {"tokens": 500}
    assert with_mean(asked, "usd", TARGET) == Budget(max_tokens=500, mean_usd=TARGET)
