"""Warnings at import: samples whose order tells something, verifiers whose scores do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.formats import import_logs
from planner.formats.checks import PooledSamples, order_warnings, signal_warnings, within_prompt_auc


def pool(rng, *, n_prompts=100, n_samples=16, signal=1.0):
    """Exchangeable samples of prompts of mixed difficulty, with scores that tell correct ones by `signal`."""
    rate = rng.beta(1, 1, size=(n_prompts, 1))
    correct = (rng.random((n_prompts, n_samples)) < rate).astype(float)
    score = 1 / (1 + np.exp(-(signal * correct + rng.normal(size=correct.shape))))
    return PooledSamples(
        prompt=np.repeat(np.arange(n_prompts), n_samples),
        draw=np.arange(n_prompts * n_samples),
        first=np.ones(n_prompts * n_samples, dtype=bool),
        correct=correct.ravel(),
        score=score.ravel(),
        tokens=rng.poisson(100, size=n_prompts * n_samples).astype(float) + 1,
    )


def sorted_within_prompts(pooled, column, *, descending):
    values = getattr(pooled, column)
    order = np.lexsort((-values if descending else values, pooled.prompt))
    columns = {name: getattr(pooled, name)[order] for name in ("correct", "score", "tokens", "first", "prompt")}
    return PooledSamples(draw=pooled.draw, **columns)


@pytest.mark.parametrize("seed", range(20))
def test_exchangeable_samples_and_a_telling_verifier_raise_no_warning(seed):
    pooled = pool(np.random.default_rng(seed))
    assert [*order_warnings("a", pooled), *signal_warnings("v", "a", pooled)] == []


def test_false_alarms_are_rare():
    rng = np.random.default_rng(7)
    alarms = [
        warning
        for _ in range(300)
        for pooled in [pool(rng, n_prompts=30, n_samples=6, signal=1.5)]
        for warning in [*order_warnings("a", pooled), *signal_warnings("v", "a", pooled)]
    ]
    assert len(alarms) <= 1


def test_correct_samples_that_come_first_are_warned_of():
    pooled = sorted_within_prompts(pool(np.random.default_rng(1)), "correct", descending=True)
    (warning,) = order_warnings("small", pooled)
    assert "small: the first half of the samples is more often correct" in warning


def test_short_samples_that_come_first_are_warned_of():
    pooled = sorted_within_prompts(pool(np.random.default_rng(1)), "tokens", descending=False)
    (warning,) = order_warnings("small", pooled)
    assert "small: the first half of the samples is shorter" in warning


def test_samples_that_get_better_are_no_reason_to_warn():
    pooled = sorted_within_prompts(pool(np.random.default_rng(1)), "correct", descending=False)
    assert list(order_warnings("small", pooled)) == []


def test_a_few_prompts_are_too_few_to_warn():
    pooled = sorted_within_prompts(pool(np.random.default_rng(1), n_prompts=10), "correct", descending=True)
    assert list(order_warnings("small", pooled)) == []


@pytest.mark.parametrize("seed", range(10))
def test_scores_that_say_nothing_are_warned_of(seed):
    (warning,) = signal_warnings("judge", "small", pool(np.random.default_rng(seed), signal=0.0))
    assert warning.startswith(
        "judge: its scores do not tell correct from wrong samples of small within a prompt (AUC 0."
    )


@pytest.mark.parametrize("signal", [-0.5, -3.0])
def test_scores_that_are_upside_down_are_called_so_with_what_to_do(signal):
    (warning,) = signal_warnings("judge", "small", pool(np.random.default_rng(1), signal=signal))
    assert warning.startswith(
        "judge: its scores are upside down: wrong samples score higher than correct ones of small"
    )
    assert "turn the scores round (1 - score" in warning


def test_scores_that_tell_prompts_apart_but_not_samples_are_warned_of():
    rng = np.random.default_rng(3)
    pooled = pool(rng, signal=0.0)
    rates = np.bincount(pooled.prompt, pooled.correct) / np.bincount(pooled.prompt)
    between = PooledSamples(
        pooled.prompt, pooled.draw, pooled.first, pooled.correct,
        rates[pooled.prompt] + 1e-6 * rng.random(len(pooled.prompt)), pooled.tokens,
    )  # fmt: skip
    assert len(list(signal_warnings("judge", "small", between))) == 1


@given(st.data())
@settings(deadline=None)
def test_the_area_within_prompts_equals_its_count_over_pairs(data):
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    n = sum(sizes)
    score = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=n, max_size=n)))
    correct = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    prompt = np.repeat(np.arange(len(sizes)), sizes)
    pooled = PooledSamples(prompt, np.arange(n), np.ones(n, bool), correct, score, np.ones(n))
    counted = []
    for one in range(len(sizes)):
        right, wrong = (score[(prompt == one) & (correct == y)] for y in (1.0, 0.0))
        if len(right) and len(wrong):
            counted.append(np.mean([(a > b) + 0.5 * (a == b) for a in right for b in wrong]))
    assert within_prompt_auc(pooled) == pytest.approx(counted)


def test_an_import_of_sorted_samples_says_so(store, write_lines, good):
    records = [
        good | {
            "run_id": f"r{i}", "prompt_id": f"p{i}", "prompt": f"question {i}",
            "samples": [{"chain": c, "answer": str(c), "correct": float(c < 2), "score": 0.5} for c in range(8)],
        }
        for i in range(40)
    ]  # fmt: skip
    warnings = import_logs(store, write_lines(*records)).warnings
    assert len(warnings) == 2
    assert any("not exchangeable" in warning for warning in warnings)
    assert any("prm: its scores do not tell correct from wrong" in warning for warning in warnings)
