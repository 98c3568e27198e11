"""What a cascade costs, against its fixed arm: without a stop rule they are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cascade_worlds import cascade, random_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core import ModelCard, ScoreStop, Stage
from planner.curves import replay_cascades, tabulate
from planner.curves.costs import logged_cost

KINDS = ("prompt_tokens", "completion_tokens", "latency_seconds")
UNITS = ("generations", "tokens", "flops", "latency_seconds")


def timed(logs, *, verifier="prm", speed=10.0, limit=None):
    """The logs with speeds of the generators and of the verifier `v`."""
    names = [pool.generator for pool in logs.pools]
    cards = [ModelCard(name=name, active_params=5, tokens_per_second=100, max_concurrency=limit) for name in names]
    reader = ModelCard(name="v", kind=verifier, active_params=3, tokens_per_second=speed)
    return replace(logs, models={card.name: card for card in (*cards, reader)})


@given(
    st.integers(0, 10_000),
    st.sampled_from([("samples", 2), ("samples", 4), ("attempts", 2), ("attempts", 4)]),
    st.sampled_from(["best_of_n", "weighted_vote", "filter_vote", "majority_vote"]),
    st.sampled_from(["prm", "generator"]),
    st.sampled_from([10.0, None]),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_without_a_stop_rule_a_cascade_costs_what_its_fixed_arm_does(
    seed, drawn, selection, kind, speed, limit, measured
):
    draw, n = drawn
    logs = random_logs(seed, n_prompts=3, n_samples=4, n_pools=1, depth=4 if draw == "attempts" else 1)
    samples = logs.samples
    if n == 2 or limit == 2:  # alike, so that it does not matter which samples are drawn, or wait together
        tokens = (5 + 3 * samples.prompt).astype(np.float32)
        samples = replace(samples, completion_tokens=tokens, prompt_tokens=10 + tokens)
    if measured:
        samples = replace(samples, latency_seconds=samples.completion_tokens / 7)
    logs = timed(replace(logs, samples=samples), verifier=kind, speed=speed, limit=limit)
    verifier = None if selection == "majority_vote" else "v"
    arm = cascade(
        Stage(generator="g0", verifier=verifier, draw=draw, batch=n, max_samples=n), selection=selection
    )  # fmt: skip
    shape = (n, 1) if draw == "samples" else (1, n)
    fixed, found = tabulate(logs, cascades=False), replay_cascades(logs, [arm], n_orders=64)
    same = [(one.selection, one.breadth, one.depth) for one in fixed.arms].index((selection, *shape))
    for unit in UNITS:
        for worst in (False, True):
            expected = logged_cost(fixed, unit, worst=worst)[:, same]
            assert logged_cost(found, unit, worst=worst)[:, 0] == pytest.approx(expected, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("selection", ["best_of_n", "majority_vote"])
@pytest.mark.parametrize(("draw", "depth"), [("samples", 1), ("attempts", 4)])
def test_samples_of_unknown_use_are_taken_for_the_others_of_their_attempt(draw, depth, selection):
    """A prompt's attempts grow longer; each is logged of some chains only."""
    logs = random_logs(1, n_prompts=3, n_samples=6, n_pools=1, depth=depth)
    samples = logs.samples
    length = (5 + 10 * samples.attempt + 3 * samples.prompt).astype(np.float32)
    known = {name: np.where((samples.chain + place) % 3 > 0, length, np.nan) for place, name in enumerate(KINDS)}
    logs = replace(logs, samples=replace(samples, **known))
    verifier = None if selection == "majority_vote" else "v"
    arm = cascade(Stage(generator="g0", verifier=verifier, draw=draw, batch=4, max_samples=4), selection=selection)
    fixed, found = tabulate(logs, cascades=False), replay_cascades(logs, [arm], n_orders=64)
    shape = (selection, 4, 1) if draw == "samples" else (selection, 1, 4)
    same = [(one.selection, one.breadth, one.depth) for one in fixed.arms].index(shape)
    for unit in ("tokens", "latency_seconds"):
        assert logged_cost(found, unit)[:, 0] == pytest.approx(logged_cost(fixed, unit)[:, same], rel=1e-4)


def test_what_a_cascade_costs_is_unknown_where_that_of_a_stage_is_though_it_may_never_come_to_it():
    logs = random_logs(2, n_prompts=12, n_samples=4)
    samples = logs.samples
    unknown = (samples.pool == 1) & (samples.prompt < 6)
    tokens = np.where(unknown, np.nan, samples.completion_tokens)
    logs = timed(replace(logs, samples=replace(samples, completion_tokens=tokens)))
    stages = [Stage(generator=name, verifier="v", stop=ScoreStop(threshold=0)) for name in ("g0", "g1")]
    table = replay_cascades(logs, [cascade(*stages)])
    for unit in ("tokens", "flops", "latency_seconds"):
        for worst in (False, True):
            cost = logged_cost(table, unit, worst=worst)[:, 0]
            assert np.isnan(cost).tolist() == [True] * 6 + [False] * 6


def test_only_stages_that_are_scored_wait_for_the_verifier():
    logs = timed(random_logs(0, n_pools=2))
    small, large = Stage(generator="g0", max_samples=2, batch=2), Stage(generator="g1", max_samples=1)
    plain = [small, large]
    scored = [small, large.model_copy(update={"verifier": "v"})]
    table = replay_cascades(logs, [cascade(*stages, selection="majority_vote") for stages in (plain, scored)])
    read = (10 + 2 * logs.samples.completion_tokens.reshape(2, 4, 8)[1]).mean(axis=1) / 10
    assert np.diff(table.latency_seconds, axis=1)[:, 0] == pytest.approx(read, rel=1e-4)


def test_a_verifier_of_unknown_speed_leaves_unknown_how_long_a_scored_cascade_takes():
    logs = timed(random_logs(0, n_pools=2), speed=None)
    first = Stage(generator="g0", max_samples=2, stop=ScoreStop(threshold=0.5), verifier="v")
    table = replay_cascades(logs, [cascade(first, Stage(generator="g1", verifier="v"))])
    assert np.isnan(table.latency_seconds).all()
    assert np.isnan(table.latency_worst_seconds).all()
