from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import simulated as world

from planner.difficulty.bins import RATES
from planner.difficulty.probe_model import ProbeModel, fit_probe_model

MODEL = ProbeModel(concentration=1.6, intercept=0.2, slope=0.9)


def by_cases(answers, odds, concentration):
    """The same likelihood case by case: each group of equal answers in turn, or none, is the right one."""
    groups = {code: [i for i, other in enumerate(answers) if other == code] for code in answers if code >= 0}
    total = np.zeros(len(RATES))
    for right in [None, *groups]:
        chance, seated = 1.0, 0
        for code, members in groups.items():
            if code == right:
                continue
            for place in range(len(members)):  # one wrong answer after the other takes its seat
                chance *= (concentration if place == 0 else place) / (concentration + seated)
                seated += 1
        n_right = 0 if right is None else len(groups[right])
        chance *= np.exp(0.0 if right is None else sum(odds[i] for i in groups[right]))
        total += chance * RATES**n_right * (1 - RATES) ** (len(answers) - n_right)
    return np.log(total)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 3), st.floats(0.02, 0.98)), min_size=1, max_size=6))
def test_the_likelihood_sums_over_which_answer_is_right(samples):
    answers, scores = ([sample[i] for sample in samples] for i in (0, 1))
    odds = MODEL.intercept + MODEL.slope * np.log(np.array(scores) / (1 - np.array(scores)))
    found = MODEL.log_likelihood(np.array([answers]), np.array([scores]))[0]
    assert found == pytest.approx(by_cases(answers, odds, MODEL.concentration), abs=1e-9)


def test_a_sample_without_an_answer_is_a_wrong_one():
    found = MODEL.log_likelihood(np.array([[-1]]), np.array([[0.9]]))[0]
    assert found == pytest.approx(np.log(1 - RATES), abs=1e-9)


def test_agreement_is_likelier_where_samples_are_right():
    unscored = np.full((2, 4), np.nan)
    agreeing, scattered = MODEL.log_likelihood(np.array([[0, 0, 0, 0], [0, 1, 2, 3]]), unscored)
    assert agreeing[-8] - agreeing[8] > 1 > -1 > scattered[-8] - scattered[8]


def test_the_model_of_the_simulated_world_is_found_again():
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(40, rng), rng)
    rows = np.flatnonzero(logs.samples.pool == 0)
    model = fit_probe_model(logs.samples, rows)
    repeat = sum(share**2 for share in world.WRONG_SHARES)
    assert 1 / (1 + model.concentration) == pytest.approx(repeat, abs=0.05)
    assert model.slope == pytest.approx(1.0, abs=0.1)
    assert model.intercept == pytest.approx(0.0, abs=0.1)


def test_ungraded_samples_leave_the_usual_model():
    rng = np.random.default_rng(0)
    samples = world.pooled_logs(world.draw_prompts(2, rng), rng).samples
    samples.correct[:] = np.nan
    model = fit_probe_model(samples, np.arange(64))
    assert (model.intercept, model.slope) == (0.0, 0.0)
    assert 1 / (1 + model.concentration) == pytest.approx(0.3)
