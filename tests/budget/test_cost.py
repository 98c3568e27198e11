from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.budget import BudgetModel
from planner.budget.lengths import Lengths
from planner.curves.costs import logged_cost


def fitted(case):
    return BudgetModel().fit(case.table, case.belief, case.membership)


def test_constant_logs_give_that_constant_whatever_the_prompt(case):
    data = case(200)
    forecasts = fitted(data).forecast(data.belief)
    size = np.array([arm.breadth for arm in data.table.arms])
    assert forecasts.cost("tokens") == pytest.approx(np.tile(100.0 * size, (200, 1)), rel=1e-5)
    assert forecasts.cost("generations") == pytest.approx(np.tile(size, (200, 1)), rel=1e-6)


def test_costs_follow_the_model_cards(case):
    data = case(100)
    forecasts = fitted(data).forecast(data.belief)
    assert forecasts.cost("flops")[0, 0] == pytest.approx(2 * 1e6 * 100, rel=1e-5)
    assert forecasts.cost("usd")[0, 0] == pytest.approx(20e-6 + 160e-6, rel=1e-5)


def test_an_unknown_price_stays_unknown(case):
    data = case(100)
    forecasts = fitted(data).forecast(data.belief)
    large = [arm.generator == "large" for arm in data.table.arms]
    assert (np.isnan(forecasts.cost("usd")) == large).all()
    assert forecasts.at(0, 5).cost.usd is None
    assert np.isnan(forecasts.cost("latency_seconds")).all()


def test_a_generator_without_logged_tokens_has_no_lengths_and_no_warning(case):
    data = case(100)
    large = np.array([arm.generator == "large" for arm in data.table.arms])
    unknown = {
        kind: np.where(large, np.nan, getattr(data.table.expected, kind)).astype(np.float32)
        for kind in ("prompt_tokens", "completion_tokens")
    }
    of_one = {kind: getattr(data.table.pools, kind) * np.float32([1, np.nan]) for kind in unknown}
    table = replace(
        data.table, expected=replace(data.table.expected, **unknown), pools=replace(data.table.pools, **of_one)
    )
    lengths = Lengths.fit(table, data.belief, data.membership)
    assert lengths.prompt_share == pytest.approx([0.2, 0])
    assert lengths.factors(data.belief)[:, 1:, 1] == pytest.approx(np.ones((100, 3)))


def test_longer_prompts_are_forecast_more_prompt_tokens(case):
    data = case(400, tokens_vary=True)
    model = fitted(data)
    rows = np.argsort(data.belief.n_characters)[[0, -1]]
    short, long = (model.forecast(data.belief.take([row])).at(0, 0).cost.prompt_tokens for row in rows)
    assert short == pytest.approx(data.belief.n_characters[rows[0]] / 5, rel=0.05)
    assert long == pytest.approx(data.belief.n_characters[rows[1]] / 5, rel=0.05)


def test_harder_prompts_are_forecast_longer_answers(case):
    data = case(400, tokens_vary=True, text=0.95)
    forecasts = fitted(data).forecast(data.belief)
    hard = data.belief.bins.argmax(1) == 2
    cost = forecasts.cost("tokens")[:, 0]
    assert cost[hard].mean() > 1.4 * cost[data.belief.bins.argmax(1) == 0].mean()


def test_a_policy_that_moves_its_budget_to_hard_prompts_spends_what_was_forecast(case):
    ratios = []
    for seed in range(4):
        data = case(1000, tokens_vary=True, text=0.7, seed=seed)
        train, test = data.take(np.arange(500)), data.take(np.arange(500, 1000))
        forecasts = fitted(train).forecast(test.belief)
        forecast, real = forecasts.cost("flops"), logged_cost(test.table, "flops")
        hard = test.belief.bins.argmax(1) == 2
        chosen = np.where(hard, 9, 0)  # 16 generations of the large one, or one of the small
        rows = np.arange(500)
        ratios.append(real[rows, chosen].mean() / forecast[rows, chosen].mean())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


def test_one_answer_costs_what_the_matrix_says(case):
    data = case(150, tokens_vary=True)
    forecasts = fitted(data).forecast(data.belief)
    for unit in ("generations", "tokens", "flops", "usd"):
        assert forecasts.at(7, 3).cost.in_unit(unit) == pytest.approx(float(forecasts.cost(unit)[7, 3]), rel=1e-5)
