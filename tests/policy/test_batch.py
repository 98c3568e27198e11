from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InfeasibleBudget
from planner.policy.batch import allocate
from planner.policy.choose import Options, pick
from planner.policy.exchange import solve
from planner.policy.noise import PairedNoise


def options_of(accuracy, price, allowed=None):
    accuracy, price = np.asarray(accuracy, np.float32), np.asarray(price, np.float32)
    n_arms = accuracy.shape[1]
    apart = np.full((n_arms, 1, n_arms), 1.0, np.float32)
    allowed = np.ones(accuracy.shape, bool) if allowed is None else np.asarray(allowed)
    bins = np.ones((len(accuracy), 1), np.float32)
    return Options(
        accuracy, np.full(accuracy.shape, 0.01, np.float32), price, allowed, bins, PairedNoise(apart, apart * 0)
    )


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.2))
def test_a_batch_never_spends_more_than_its_total(seed, share):
    rng = np.random.default_rng(seed)
    price = rng.integers(1, 50, (12, 5)).astype(float)
    options = options_of(rng.random((12, 5)), price, rng.random((12, 5)) < 0.7)
    options.allowed[:, 0] = True
    cheapest = np.where(options.allowed, price, np.inf).min(1).sum()
    total = cheapest + share * (price.max(1).sum() - cheapest)
    arms = allocate(options, "usd", float(total))
    rows = np.arange(12)
    assert price[rows, arms].sum() <= total * (1 + 1e-9)
    assert options.allowed[rows, arms].all()


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
def test_what_a_batch_leaves_would_not_pay_for_any_better_arm(seed, share):
    rng = np.random.default_rng(seed)
    price = np.sort(rng.integers(1, 50, (12, 4)), axis=1).astype(float)
    accuracy = np.sort(rng.random((12, 4)), axis=1)
    total = price[:, 0].sum() + share * (price[:, -1] - price[:, 0]).sum()
    arms = allocate(options_of(accuracy, price), "usd", float(total))
    rows = np.arange(12)
    left = total - price[rows, arms].sum()
    assert left < price.max() + 1e-6


def test_a_total_below_the_cheapest_arms_names_the_least_that_would_do():
    with pytest.raises(InfeasibleBudget, match="the least is 4"):
        allocate(options_of([[0.5, 0.9]] * 2, [[2.0, 5.0]] * 2), "usd", 3.0)


@pytest.mark.parametrize("price", [1.00004, 0.33333, 7.0, 123456.0])
def test_the_least_total_that_is_named_would_do(price):
    options = options_of([[0.5, 0.9]], [[price, 2 * price]])
    with pytest.raises(InfeasibleBudget) as refused:
        allocate(options, "flops", 0.5 * price)
    named = float(re.search(r"the least is (\S+) flops", str(refused.value))[1])
    assert named < 1.001 * price
    allocate(options, "flops", named)


def test_money_goes_to_the_prompts_that_gain_by_it():
    options = options_of([[0.9, 0.91], [0.2, 0.8]], [[1.0, 5.0]] * 2)
    assert allocate(options, "usd", 6.5).tolist() == [0, 1]


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98))
def test_the_exchange_rate_spends_the_average(seed, share):
    rng = np.random.default_rng(seed)
    price = rng.random((300, 4)) + 0.1
    accuracy = rng.random((300, 4))
    options = options_of(accuracy, price)
    least, most = price.min(1).mean(), price[np.arange(300), accuracy.argmax(1)].mean()
    value = float(least + share * (most - least))
    rate = solve(options, "usd", value)
    rows = np.arange(300)

    def spend(of_cost):
        return price[rows, (options.accuracy - np.float32(of_cost) * options.price).argmax(1)].mean()

    mixed = rate.share * spend(rate.low) + (1 - rate.share) * spend(rate.high)
    assert mixed == pytest.approx(value, rel=0.01)


def test_an_average_below_the_cheapest_arms_is_infeasible_and_names_the_least():
    with pytest.raises(InfeasibleBudget, match="mean_usd=2"):
        solve(options_of([[0.5, 0.9]], [[2.0, 5.0]]), "usd", 1.0)


def test_an_average_within_the_samples_error_of_the_cheapest_arms_takes_those():
    price = np.tile([1.0, 5.0], (100, 1)) * np.linspace(0.5, 1.5, 100)[:, None]
    options = options_of(np.tile([0.5, 0.9], (100, 1)), price)
    rate = solve(options, "usd", 0.99)
    assert not pick(options, rate.high).any()
