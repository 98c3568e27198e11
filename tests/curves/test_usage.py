from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plain import Row, logs_of

from planner.core import Arm, ModelCard
from planner.curves import concatenate_arms, replay_cascades, tabulate
from planner.curves.costs import logged_cost
from planner.curves.exact import expected_greatest
from planner.curves.logs import Pool
from planner.policy.probing import ProbeSource

CASCADE = Arm(
    generator="small", verifier="prm", search="cascade", selection="best_of_n", breadth=2,
    params={"stages": [{"generator": "small", "verifier": "prm", "max_samples": 2}]},
)  # fmt: skip
SMALL = ModelCard(name="small", active_params=1000, tokens_per_second=10, max_concurrency=2)
PRM = ModelCard(name="prm", kind="prm", active_params=500, tokens_per_second=100)


def column(table, values, **fields):
    found = [i for i, arm in enumerate(table.arms) if all(getattr(arm, n) == v for n, v in fields.items())]
    assert len(found) == 1
    return values[:, found[0]]


def chains(n_chains=4, depth=2, **changes):
    return [
        Row(
            chain=c, attempt=a, answer=c, correct=float(c == 0), score=0.5,
            prompt_tokens=10.0 + 20 * a, completion_tokens=10.0 * (c + 1), **changes,
        )
        for c in range(n_chains)
        for a in range(depth)
    ]  # fmt: skip


def test_a_prompt_is_charged_once_a_sample_and_a_revision_its_whole_context():
    table = tabulate(logs_of(chains()), cascades=False)
    assert column(table, table.expected.prompt_tokens, selection="majority_vote", breadth=4, depth=2) == 4 * (10 + 30)


def test_completions_are_charged_at_their_mean():
    table = tabulate(logs_of(chains()), cascades=False)
    assert column(table, table.expected.completion_tokens, selection="majority_vote", breadth=2, depth=2) == 2 * 2 * 25


def test_a_verifier_reads_prompt_and_candidate_once_and_no_revision_context():
    table = tabulate(logs_of(chains()), cascades=False)
    assert column(table, table.expected.verifier_tokens, selection="best_of_n", breadth=2, depth=2) == 2 * 2 * (10 + 25)


def test_logged_verifier_tokens_are_taken_as_they_are():
    table = tabulate(logs_of(chains(verifier_tokens=7.0)), cascades=False)
    assert column(table, table.expected.verifier_tokens, selection="best_of_n", breadth=2, depth=2) == 28


def test_arms_without_a_verifier_are_charged_no_verifier():
    table = tabulate(logs_of(chains(), models=(SMALL, PRM)), cascades=False)
    assert column(table, table.expected.verifier_tokens, selection="majority_vote", breadth=4, depth=1) == 0
    assert column(table, logged_cost(table, "flops"), selection="first") == pytest.approx(2 * 1000 * (10 + 25))


def test_flops_count_generator_and_verifier():
    table = tabulate(logs_of(chains(), models=(SMALL, PRM)), cascades=False)
    found = column(table, logged_cost(table, "flops"), selection="best_of_n", breadth=2, depth=1)
    assert found == pytest.approx(2 * 2 * (1000 + 500) * (10 + 25))


def test_a_fixed_arm_spends_at_worst_what_it_is_expected_to():
    table = tabulate(logs_of(chains()), cascades=False)
    assert np.array_equal(table.worst.completion_tokens, table.expected.completion_tokens)


def test_a_verdict_of_a_language_model_counts_as_a_generation():
    judge = ModelCard(name="prm", kind="generator")
    table = tabulate(logs_of(chains(), models=(judge,)), cascades=False)
    assert column(table, table.expected.generations, selection="filter_vote", breadth=2, depth=1) == 4
    assert column(table, table.expected.generations, selection="majority_vote", breadth=2, depth=1) == 2


def test_what_a_judge_writes_is_paid_at_its_completion_rate():
    prices = {"usd_per_million_prompt_tokens": 1e6, "usd_per_million_completion_tokens": 5e6}
    judge, free = ModelCard(name="prm", kind="generator", **prices), SMALL.model_copy(update=dict.fromkeys(prices, 0))
    written = 40.0  # beside the prompt of 10 tokens and a candidate of 25 on average
    rows = [replace(row, verifier_tokens=10 + row.completion_tokens + written) for row in chains()]
    logs = logs_of(rows, models=(free, judge))
    table = concatenate_arms([tabulate(logs, cascades=False), replay_cascades(logs, [CASCADE])])
    cost = logged_cost(table, "usd")
    bill = 2 * (10 + 25 + 5 * written)
    scored = {"selection": "best_of_n", "breadth": 2, "depth": 1}
    assert column(table, cost, search="sampling", **scored) == pytest.approx(bill)
    assert column(table, cost, search="cascade") == pytest.approx(bill, rel=1e-5)
    assert column(table, cost, selection="majority_vote", breadth=2, depth=1) == 0
    assert ProbeSource.of(logs, "small").cost(table, 2, "usd") == pytest.approx(bill)
    only_reads = replace(logs, models={**logs.models, "prm": judge.model_copy(update={"kind": "prm"})})
    table = tabulate(only_reads, cascades=False)
    assert column(table, logged_cost(table, "usd"), **scored) == pytest.approx(2 * (35 + written))


def test_unknown_tokens_stay_unknown():
    rows = [
        Row(prompt=p, chain=c, answer=0, correct=1.0, completion_tokens=tokens, prompt_tokens=5.0)
        for p, tokens in enumerate((float("nan"), 10.0))
        for c in range(2)
    ]
    table = tabulate(logs_of(rows, n_prompts=2), cascades=False)
    completion = column(table, table.expected.completion_tokens, selection="majority_vote")
    assert np.isnan(completion[0])
    assert completion[1] == 20
    assert column(table, table.expected.prompt_tokens, selection="majority_vote").tolist() == [10, 10]


def test_chains_side_by_side_wait_for_the_slowest_and_attempts_for_one_another():
    # completions take 1, 2, 3, 4 seconds; the slower of two of them 10/3 on average
    table = tabulate(logs_of(chains(), models=(SMALL,)), cascades=False)
    seconds = table.latency_seconds
    assert column(table, seconds, selection="first") == pytest.approx(2.5)
    assert column(table, seconds, selection="majority_vote", breadth=2, depth=1) == pytest.approx(10 / 3)
    assert column(table, seconds, selection="majority_vote", breadth=2, depth=2) == pytest.approx(20 / 3)


def test_more_chains_than_the_endpoint_bears_wait_in_waves():
    table = tabulate(logs_of(chains(), models=(SMALL,)), cascades=False)
    assert column(table, table.latency_seconds, selection="majority_vote", breadth=4, depth=1) == pytest.approx(20 / 3)


def test_without_a_known_bound_all_chains_run_at_once():
    free = SMALL.model_copy(update={"max_concurrency": None})
    table = tabulate(logs_of(chains(), models=(free,)), cascades=False)
    assert column(table, table.latency_seconds, selection="majority_vote", breadth=4, depth=1) == pytest.approx(4)


def test_a_verifier_of_unknown_speed_makes_latency_unknown():
    table = tabulate(logs_of(chains(), models=(SMALL,)), cascades=False)
    assert np.isnan(column(table, table.latency_seconds, selection="best_of_n", breadth=2, depth=1))[0]
    table = tabulate(logs_of(chains(depth=1), models=(SMALL, PRM)), cascades=False)
    found = column(table, table.latency_seconds, selection="best_of_n", breadth=4, depth=1)
    # two waves of two: the slower of two needs 10/3 + its reading of 10 + 100/3 tokens at 100 a second
    assert found == pytest.approx(2 * (10 / 3 + (10 + 100 / 3) / 100))


@pytest.mark.parametrize("missing", ["score", "score_min"])
def test_rules_over_other_samples_have_the_seconds_of_their_own_breadths(missing):
    rows = [
        Row(
            chain=c,
            answer=c % 2,
            correct=float(c % 2),
            score=0.5,
            score_min=0.4,
            prompt_tokens=10,
            completion_tokens=10 * (c + 1),
        )
        for c in range(16)
    ]
    some = [row if row.chain < 12 else replace(row, **{missing: np.nan}) for row in rows]
    quick = SMALL.model_copy(update={"max_concurrency": None})
    table = tabulate(logs_of(some, models=(quick, PRM)), cascades=False)
    lasts = np.array([[(c + 1) + (10 + 10 * (c + 1)) / 100 for c in range(16)]])
    for params in ({}, {"step_score": "min"}):
        for breadth in (2, 12 if bool(params) == (missing == "score_min") else 16):
            found = column(table, table.latency_seconds, selection="weighted_vote", breadth=breadth, params=params)
            assert found == pytest.approx(expected_greatest(lasts, np.array([breadth]))[0])


def test_scores_of_every_second_sample_are_enough_for_a_table():
    rows = [replace(row, score=np.nan if row.chain % 2 else 0.5, score_min=0.4) for row in chains(n_chains=8, depth=1)]
    table = tabulate(logs_of(rows, models=(SMALL, PRM)), cascades=False)
    assert np.isfinite(table.latency_seconds).all()


def test_measured_seconds_come_before_speeds():
    table = tabulate(logs_of(chains(latency_seconds=8.0), models=(SMALL,)), cascades=False)
    assert column(table, table.latency_seconds, selection="majority_vote", breadth=2, depth=2) == 16


def test_pools_are_summed_up_by_prompt():
    rows = [*chains(depth=1), Row(pool=1, prompt=1, answer=0, correct=1.0, completion_tokens=6.0)]
    pools = tabulate(logs_of(rows, (Pool("small", "prm"), Pool("large")), n_prompts=2), cascades=False).pools
    assert pools.n_samples.tolist() == [[4, 0], [0, 1]]
    assert pools.n_correct.tolist() == [[1, 0], [0, 1]]
    assert pools.completion_tokens[0, 0] == 25
    assert pools.completion_tokens[1, 1] == 6
    assert np.isnan(pools.completion_tokens[1, 0])
    assert pools.verifier_tokens[0, 0] == 35
