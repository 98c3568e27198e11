from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from cascade_worlds import cascade, logs_of, random_logs

from planner.core import ModelCard, ScoreStop, Stage
from planner.curves.cascade import cascade_table, choose_arms, default_orders, replay_cascades
from planner.curves.cascade_draws import source
from planner.curves.cascade_grid import grid
from planner.curves.cascade_pools import Drawn, drawn_pools
from planner.curves.cascade_price import prices
from planner.curves.cascade_thin import Screened, thin, upper_hull
from planner.curves.logs import Pool
from planner.curves.table import Usage

CARDS = {
    "g0": ModelCard(name="g0", active_params=1e9),
    "g1": ModelCard(name="g1", active_params=1e10),
    "v": ModelCard(name="v", kind="orm", active_params=1e9),
}


@pytest.fixture(scope="module")
def logs():
    return dataclasses.replace(random_logs(0, n_prompts=60, n_samples=8), models=CARDS)


@pytest.fixture(scope="module")
def table(logs):
    return cascade_table(logs, seed=3)


def pools_of(logs):
    laid = source(logs)
    return drawn_pools(logs, laid, prices(logs, laid), np.arange(len(logs.prompts)))


def test_a_table_holds_cascades_alone_and_not_more_than_asked_for(logs, table):
    assert 0 < len(table.arms) <= 80
    assert {arm.search for arm in table.arms} == {"cascade"}
    assert len(set(table.arms)) == len(table.arms)
    assert len(cascade_table(logs, max_arms=7).arms) <= 7


def test_shapes_agree_with_the_logs(logs, table):
    shape = (len(logs.prompts), len(table.arms))
    assert table.outcome.shape == table.weight.shape == table.latency_seconds.shape == shape
    for usage in (table.expected, table.worst):
        assert all(getattr(usage, f.name).shape == (60, len(table.slots)) for f in dataclasses.fields(Usage))
    assert table.pools.n_samples.tolist() == [[8.0, 8.0]] * 60


def test_expected_draws_never_exceed_the_worst_case(table):
    assert (table.expected.generations <= table.worst.generations + 1e-5).all()
    breadth = np.zeros((60, len(table.arms)))
    np.add.at(breadth.T, table.slots.arm, table.worst.generations.T)
    assert (breadth == [arm.breadth for arm in table.arms]).all()


def test_the_same_logs_and_seed_give_the_same_table(logs, table):
    again = cascade_table(logs, seed=3)
    assert again.arms == table.arms
    assert again.outcome.tobytes() == table.outcome.tobytes()


def test_cascades_are_not_chosen_on_prompts_that_are_left_out(logs):
    rows = np.arange(0, 60, 2)
    samples = logs.samples
    held_out = samples.prompt % 2 == 1
    changed = dataclasses.replace(
        samples,
        correct=np.where(held_out, 1 - samples.correct, samples.correct),
        score=np.where(held_out, 1 - samples.score, samples.score),
    )
    other = dataclasses.replace(logs, samples=changed)
    assert cascade_table(logs, rows=rows).arms == cascade_table(other, rows=rows).arms


def test_a_table_covers_prompts_that_were_not_screened(logs):
    assert np.isfinite(cascade_table(logs, rows=np.arange(20)).outcome).all()


def test_single_samples_without_a_verifier_suggest_no_cascade():
    rows = [(pool, prompt, 0, 0, pool, 1.0, np.nan, 5.0) for pool in range(3) for prompt in range(40)]
    logs = logs_of(rows, [Pool(f"g{pool}") for pool in range(3)])
    table = cascade_table(logs)
    assert table.arms == ()
    assert table.outcome.shape == (40, 0)
    assert len(table.slots) == 0


def test_logs_without_samples_suggest_no_cascade():
    assert cascade_table(logs_of([], [])).arms == ()


def test_single_samples_with_a_verifier_suggest_escalation():
    logs = dataclasses.replace(random_logs(1, n_prompts=60, n_samples=1), models=CARDS)
    arms = cascade_table(logs).arms
    assert arms
    assert {arm.generators for arm in arms} == {("g0", "g1")}


def test_without_scores_votes_stop_by_agreement_or_the_beta_rule(logs):
    samples = dataclasses.replace(logs.samples, score=np.full_like(logs.samples.score, np.nan))
    unscored = dataclasses.replace(logs, pools=(Pool("g0"), Pool("g1")), samples=samples)
    arms = grid(pools_of(unscored))
    assert {stage.stop.rule for arm in arms for stage in arm.stages if stage.stop} == {
        "agreement",
        "beta_vote",
    }
    assert {arm.selection for arm in arms} == {"majority_vote"}
    assert any(arm.generators == ("g0", "g1") and arm.params.get("answer_from") == "last_stage" for arm in arms)


def test_the_grid_holds_stops_escalation_and_batches(logs):
    arms = grid(pools_of(logs))
    assert len(arms) == len(set(arms))
    assert {stage.batch for arm in arms for stage in arm.stages} >= {1, 2, 4}
    assert {arm.generators for arm in arms} >= {("g0",), ("g1",), ("g0", "g1")}


def test_revising_generators_get_chains_of_attempts():
    arms = grid(pools_of(random_logs(2, n_prompts=40, n_samples=4, n_pools=1, depth=4)))
    attempts = {stage.max_samples for arm in arms for stage in arm.stages if stage.draw == "attempts"}
    assert attempts == {2, 3, 4}


def test_three_generators_make_cascades_of_three_stages():
    arms = grid(pools_of(random_logs(3, n_prompts=40, n_samples=4, n_pools=3)))
    assert max(len(arm.stages) for arm in arms) == 3


def test_settings_of_pools_are_named_where_there_are_any(logs):
    pools = (Pool("g0", "v", {"temperature": 0.8}), Pool("g1", "v"))
    warm = dataclasses.replace(logs, pools=pools)
    arms = cascade_table(warm).arms
    assert all(
        arm.params.get("settings", [{}] * len(arm.stages))
        == [{"temperature": 0.8} if stage.generator == "g0" else {} for stage in arm.stages]
        for arm in arms
    )


def test_thresholds_are_distinct_logged_scores(logs):
    for pool in pools_of(logs):
        assert isinstance(pool, Drawn)
        assert len(pool.thresholds) == len(set(pool.thresholds)) > 3
        assert all(np.abs(logs.samples.score - t).min() < 1e-3 for t in pool.thresholds)


def test_the_unit_that_ranks_is_the_first_that_is_known_for_all(logs):
    laid = source(logs)
    usd = ModelCard(name="g0", usd_per_million_prompt_tokens=1, usd_per_million_completion_tokens=2)
    priced = {name: usd.model_copy(update={"name": name}) for name in ("g0", "g1")}
    unknown = dataclasses.replace(
        logs,
        samples=dataclasses.replace(logs.samples, completion_tokens=np.full(len(logs.samples), np.nan, np.float32)),
    )
    assert prices(logs, laid).unit == "flops"
    assert prices(dataclasses.replace(logs, models=priced), laid).unit == "usd"
    assert prices(dataclasses.replace(logs, models={}), laid).unit == "tokens"
    assert prices(unknown, source(unknown)).unit == "generations"
    assert (prices(unknown, source(unknown)).score == 0).all()
    judged = dataclasses.replace(unknown, models={"v": ModelCard(name="v", kind="generator")})
    assert (prices(judged, source(judged)).score == 1).all()


def test_prompts_with_few_samples_do_not_forbid_cascades_on_the_others():
    logs = random_logs(4, n_prompts=60, n_samples=8)
    few = (logs.samples.prompt == 0) & (logs.samples.chain > 0)
    samples = type(logs.samples)(*(getattr(logs.samples, f.name)[~few] for f in dataclasses.fields(logs.samples)))
    table = cascade_table(dataclasses.replace(logs, samples=samples))
    assert np.isnan(table.outcome[0]).any()
    assert np.isfinite(table.outcome[1:]).all()


def test_ungraded_samples_are_never_drawn():
    logs = random_logs(5, n_prompts=6, n_samples=8, n_pools=1)
    correct = logs.samples.correct.copy()
    correct[::2] = np.nan
    # No two answers are equal, so that no grade can be known from another sample.
    answer = np.arange(len(correct), dtype=np.int32)
    half = dataclasses.replace(logs, samples=dataclasses.replace(logs.samples, correct=correct, answer=answer))
    table = replay_cascades(half, [cascade(Stage(generator="g0", verifier="v"))])
    assert table.outcome[:, 0] == pytest.approx(np.nanmean(correct.reshape(6, 8), axis=1), abs=1e-6)


def test_the_hull_is_rising_and_concave():
    rng = np.random.default_rng(0)
    cost, value = rng.random(200).astype(np.float32), rng.random(200).astype(np.float32)
    hull = upper_hull(cost, value)
    slopes = np.diff(value[hull]) / np.diff(cost[hull])
    assert (np.diff(cost[hull]) > 0).all()
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 0).all()
    assert value[hull[-1]] == value.max()
    assert (
        np.interp(cost, cost[hull], value[hull])[cost >= cost[hull[0]]] >= value[cost >= cost[hull[0]]] - 1e-6
    ).all()


def test_thinning_keeps_the_hull_first_and_never_a_rival():
    cost = np.array([[1.0, 2.0, 3.0, 4.0, 3.0]], np.float32)
    accuracy = np.array([[0.2, 0.5, 0.6, 0.9, 0.1]], np.float32)
    screened = Screened(accuracy, cost, cost, np.full_like(cost, np.nan))
    rival = np.array([False, False, False, True, False])
    assert thin(screened, rival, np.zeros(1, np.float32), 2) == [0, 1]
    assert thin(screened, rival, np.zeros(1, np.float32), 9) == [0, 1, 2, 4]


def test_arms_that_are_all_but_the_same_are_kept_once():
    cost = np.array([[1.0, 2.0, 2.001]], np.float32)
    accuracy = np.array([[0.2, 0.5, 0.501]], np.float32)
    screened = Screened(accuracy, cost, cost, np.full_like(cost, np.nan))
    assert len(thin(screened, np.zeros(3, bool), np.zeros(1, np.float32), 9)) == 2


def test_a_cascade_of_cheap_and_dear_beats_the_mixture_of_both(logs, table):
    one = [cascade(Stage(generator=name, verifier="v")) for name in ("g0", "g1")]
    fixed = replay_cascades(logs, one)
    flops = [2e9, 2e10]

    def cost(of):
        total = np.zeros((60, len(of.arms)))
        rate = np.array([flops[name == "g1"] for name in of.slots.generator])
        used = (of.expected.prompt_tokens + of.expected.completion_tokens) * rate + of.expected.verifier_tokens * 2e9
        np.add.at(total.T, of.slots.arm, used.T)
        return total.mean(axis=0)

    at, value = cost(fixed), fixed.outcome.mean(axis=0)
    between = (cost(table) > at[0]) & (cost(table) < at[1])
    gain = table.outcome.mean(axis=0) - np.interp(cost(table), at, value)
    assert gain[between].max() > 0.05


def test_fewer_orders_are_drawn_on_very_large_logs():
    assert (default_orders(400), default_orders(20_000), default_orders(0)) == (64, 8, 64)


def test_score_thresholds_come_from_the_screened_prompts_alone(logs):
    chosen = choose_arms(logs, source(logs), np.arange(30), seed=0, max_arms=80)
    scores = logs.samples.score[logs.samples.prompt < 30]
    stops = [stage.stop for arm in chosen for stage in arm.stages if isinstance(stage.stop, ScoreStop)]
    assert stops
    assert all(np.abs(scores - stop.threshold).min() < 1e-3 for stop in stops)
