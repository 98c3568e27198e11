"""A champion whose arms or prompts are gone from the logs of today."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.core import Budget
from planner.curves.logs import Pool
from planner.curves.tabulation import tabulate
from planner.policy.evaluate import evaluate
from planner.policy.fit import fit_policy
from planner.policy.promotion import challenge

BUDGETS = [Budget(mean_flops=n * world.FLOPS_PER_SMALL_SAMPLE) for n in (3, 20)]


@pytest.fixture(scope="module")
def champion(pooled_logs):
    return fit_policy(tabulate(pooled_logs), logs=pooled_logs, seed=0)


def challenged(champion, known, logs):
    return challenge(evaluate(logs, folds=2, budgets=BUDGETS, probes=(), cascades=False), champion, set(known), logs)


@pytest.mark.parametrize(
    "pools",
    [
        (Pool("small", "another verifier"), Pool("larger")),
        (Pool("small", "verifier", {"temperature": 0.5}), Pool("larger")),
        (Pool("small", "verifier"), Pool("newer")),
    ],
    ids=["verifier", "settings", "generator"],
)
def test_arms_that_the_logs_no_longer_hold_are_left_out_of_the_comparison(champion, pooled_logs, pools):
    assert any(arm.search == "cascade" for arm in champion.arms)
    verdict = challenged(champion, pooled_logs.prompts.ids, replace(pooled_logs, pools=pools))
    assert verdict.n_prompts == 100


def test_a_champion_none_of_whose_arms_is_logged_any_more_is_replaced(champion, pooled_logs):
    models = {f"new {name}": card for name, card in pooled_logs.models.items()}
    logs = replace(pooled_logs, pools=(Pool("new small", "new verifier"), Pool("new larger")), models=models)
    verdict = challenged(champion, pooled_logs.prompts.ids, logs)
    assert verdict.promoted
    assert "none of the arms" in verdict.reason
    assert "planner policies rollback" in verdict.reason


def test_a_champion_of_other_prompts_with_arms_that_are_gone_is_kept_and_the_way_on_is_named(champion, pooled_logs):
    logs = replace(pooled_logs, pools=(Pool("small", "verifier"), Pool("newer")))
    verdict = challenged(champion, (), logs)
    assert not verdict.promoted
    assert "kept the promoted policy" in verdict.reason
    assert "`planner policies promote ID`" in verdict.reason


def test_a_champion_that_was_fitted_with_a_reference_that_is_gone_is_compared(pooled_logs):
    champion = fit_policy(tabulate(pooled_logs, cascades=False), logs=pooled_logs, reference="larger")
    logs = replace(pooled_logs, pools=(Pool("small", "verifier"), Pool("newer")))
    assert challenged(champion, pooled_logs.prompts.ids, logs).n_prompts == 100


def test_a_champion_from_before_there_were_prices_is_compared_on_many_new_prompts_too(pooled_logs):
    priceless = replace(pooled_logs, models={})
    champion = fit_policy(tabulate(priceless, cascades=False), logs=priceless, seed=0)
    assert challenged(champion, pooled_logs.prompts.ids[:45], pooled_logs).n_prompts == 100


def test_a_champion_that_is_fitted_again_without_some_of_its_arms_is_played_with_the_others(champion, pooled_logs):
    samples = pooled_logs.samples
    kept = (samples.pool == 1) | (samples.prompt >= 60)
    logs = replace(pooled_logs, samples=replace(samples, **{name: c[kept] for name, c in vars(samples).items()}))
    verdict = challenged(champion, pooled_logs.prompts.ids[:60], logs)
    # It knows the larger generator alone, of whose samples one costs as much as fourteen of the small one.
    assert verdict.cost_ratio < 1


def test_new_prompts_of_which_no_outcome_is_known_are_no_test(champion, pooled_logs):
    """Sixty prompts that a session had answered live were new, and none of them could be compared."""
    evaluation = evaluate(pooled_logs, folds=2, budgets=BUDGETS, probes=(), cascades=False)
    live = np.arange(100) < 60
    played = {
        budget: replace(one, outcome=np.where(live, np.float32(np.nan), one.outcome))
        for budget, one in evaluation.played["policy"].items()
    }
    known = {evaluation.table.prompts.ids[row] for row in evaluation.rows[~live]}
    partly = replace(evaluation, played=evaluation.played | {"policy": played})
    verdict = challenge(partly, champion, known, pooled_logs)
    assert "too little" in verdict.reason  # to fit it again without them, which is what is tried instead
