from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from planner.artifacts.arrays import from_json, to_json
from planner.budget import BudgetModel
from planner.errors import NotEnoughData


def fitted(case):
    return BudgetModel().fit(case.table, case.belief, case.membership)


def test_well_filled_cells_keep_their_own_mean(case):
    data = case(1500)
    model = fitted(data)
    raw = np.stack([data.table.outcome[data.membership[:, b] > 0].mean(0) for b in range(3)])
    assert np.abs(model.accuracy_ - raw).max() < 0.01


def test_thin_single_arm_cells_come_nearer_the_truth_than_raw_means(case):
    errors = []
    for seed in range(3):
        data = case(600, samples=1, single=True, seed=seed)
        model = fitted(data)
        known = np.isfinite(data.table.outcome)
        for b in range(3):
            rows = data.membership[:, b] > 0
            truth = data.truth[rows][0]
            raw = np.nan_to_num(data.table.outcome[rows]).sum(0) / np.maximum(known[rows].sum(0), 1)
            errors.append((np.square(model.accuracy_[b] - truth).mean(), np.square(raw - truth).mean()))
    pooled, raw = np.mean(errors, axis=0)
    assert pooled < raw / 2


def test_accuracy_may_fall_with_the_number_of_generations(case):
    model = fitted(case(1500))
    hardest_small = model.accuracy_[2, :5]
    assert hardest_small[-1] < hardest_small[0] - 0.02


def test_detail_vanishes_where_the_text_tells_nothing_more(case):
    assert [fitted(case(400, samples=32, seed=seed)).detail_ is None for seed in range(4)] == [True] * 4


def test_detail_learns_that_a_data_set_suits_one_generator(case):
    data = case(2000, samples=1, by_dataset=0.7)
    train, test = data.take(np.arange(1500)), data.take(np.arange(1500, 2000))
    model = fitted(train)
    assert model.detail_ is not None
    error = np.abs(model.forecast(test.belief).accuracy - test.truth).mean()
    plain = np.abs(test.belief.bins @ model.accuracy_ - test.truth).mean()
    assert error < plain - 0.03


def test_more_prompts_make_narrower_intervals(case):
    few, many = case(150), case(1500)
    wide = fitted(few).forecast(few.belief).stderr.mean()
    assert fitted(many).forecast(many.belief).stderr.mean() < wide / 2


@pytest.mark.parametrize("older", [False, True])
def test_a_state_gives_back_the_same_forecasts_and_costs(case, older):
    data = case(300, by_dataset=0.7, tokens_vary=True)
    model = fitted(data)
    state = from_json(to_json(model.to_state()))
    if older:
        del state["written"]
    again = BudgetModel.from_state(state)
    first, second = model.forecast(data.belief), again.forecast(data.belief)
    assert (first.accuracy == second.accuracy).all()
    assert (first.stderr == second.stderr).all()
    assert (first.cost("flops") == second.cost("flops")).all()
    assert first.at(3, 4) == second.at(3, 4)


def test_the_same_data_and_seed_give_the_same_bytes(case):
    data = case(200, by_dataset=0.7)
    assert to_json(fitted(data).to_state()) == to_json(fitted(data).to_state())


def test_nothing_graded_is_not_enough_data(case):
    data = case(50)
    data.table.outcome[:] = np.nan
    with pytest.raises(NotEnoughData, match="planner grade"):
        fitted(data)


def test_an_arm_without_a_grade_is_left_out(case):
    data = case(60)
    data.table.outcome[:, 3] = np.nan
    model = fitted(data)
    assert len(model.arms_) == len(data.table.arms) - 1
    assert model.forecast(data.belief).cost("flops").shape == (60, len(model.arms_))


def test_unusual_features_move_a_forecast_no_further_than_logged_ones(case):
    data = case(1200, samples=1, by_dataset=0.7)
    model = fitted(data)
    far = data.belief.take([0, 1])
    far.features[:] = 1e6
    assert np.isfinite(model.forecast(far).accuracy).all()


def test_forecasting_imports_neither_sklearn_scipy_nor_lightgbm():
    code = "import sys, planner.budget; print([m for m in ('sklearn', 'scipy', 'lightgbm') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(out.replace("'", '"')) == []


def test_one_prompt_is_forecast_in_well_under_a_millisecond(case):
    data = case(300, by_dataset=0.7)
    model, one = fitted(data), data.belief.take([0])
    times = []
    for _ in range(300):
        start = time.perf_counter()
        model.forecast(one).cost("flops")
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.5e-3
