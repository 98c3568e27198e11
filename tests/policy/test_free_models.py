"""Generators that cost nothing in a unit: a local model that is priced 0 USD."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.core import Budget
from planner.curves.cascade_draws import source
from planner.errors import InvalidInput
from planner.policy.adaptive.contest import fit_adaptive
from planner.policy.adaptive.learn import learn
from planner.policy.adaptive.offers import Offers
from planner.policy.evaluate import evaluate


def priced(logs, **usd):
    """The logs, a token of each model at so many USD a million."""
    prices = {name: dict.fromkeys(("usd_per_million_prompt_tokens", "usd_per_million_completion_tokens"), usd[name])
              for name in logs.models}  # fmt: skip
    return replace(logs, models={name: card.model_copy(update=prices[name]) for name, card in logs.models.items()})


def test_averages_are_played_below_what_the_dearer_model_costs_where_the_other_is_free(pooled_logs):
    logs = priced(pooled_logs, small=0.0, verifier=0.0, larger=1.0)
    evaluation = evaluate(logs, folds=2, probes=(), cascades=False)
    assert evaluation.report.unit == "usd"
    means = [budget.mean[1] for budget in evaluation.budgets.values()]
    assert len(means) == 8
    assert 0 < means[0] < means[-1]
    spent = [float(np.nanmean(play.cost)) for play in evaluation.played["policy"].values()]
    assert all(np.isfinite(spent))


def test_a_session_learns_what_to_pay_where_the_other_model_is_free(pooled_logs):
    logs = priced(pooled_logs, small=0.0, verifier=0.0, larger=1.0)
    adaptive = fit_adaptive(
        logs, evaluate(logs, folds=2, probes=(), cascades=False, budgets=[Budget(mean_flops=1e9)]), seed=0
    )
    assert set(adaptive.means) == {"generations", "tokens", "flops", "usd"}
    assert (adaptive.means["usd"].amount > 0).all()
    mixture = adaptive.average("usd", 1e-5)
    low, high = (float(adaptive.plans[place].cost["usd"][-1]) for place in (mixture.lower, mixture.upper))
    assert (1 - mixture.share) * low + mixture.share * high <= 1.0001e-5


def test_a_unit_in_which_all_is_free_is_left_out(pooled_logs):
    logs = priced(pooled_logs, small=0.0, verifier=0.0, larger=0.0)
    evaluation = evaluate(logs, folds=2, probes=(), cascades=False)
    assert evaluation.report.unit == "flops"
    assert "usd" not in fit_adaptive(logs, evaluation, seed=0).means
    with pytest.raises(InvalidInput, match="nothing that is logged costs anything in usd"):
        evaluate(logs, folds=2, probes=(), unit="usd")
    assert evaluate(logs, folds=2, probes=(), budgets=[Budget(mean_usd=1.0)]).report.unit == "usd"


def test_where_only_what_is_worse_costs_anything_nothing_is_spent():
    rng = np.random.default_rng(0)
    prompts = world.draw_prompts(20, rng)
    logs = priced(world.pooled_logs(prompts, rng, n_small=1, n_larger=16), small=1.0, verifier=1.0, larger=0.0)
    evaluation = evaluate(logs, folds=2, probes=(), cascades=False)
    assert evaluation.report.unit == "usd"
    assert all(np.nanmax(play.cost) == 0 for play in evaluation.played["policy"].values())


def test_votes_of_a_free_model_are_learned_in_other_units(pooled_logs):
    alone = pooled_logs.samples.pool == 1
    samples = replace(pooled_logs.samples, **{name: c[alone] for name, c in vars(pooled_logs.samples).items()})
    logs = priced(replace(pooled_logs, samples=samples), small=0.0, verifier=0.0, larger=0.0)
    assert set(learn(logs, source(logs), np.arange(100), seed=0).priced) == {"generations", "tokens", "flops"}


def test_a_free_plan_is_mixed_with_the_next():
    mixture = Offers.of([0, 1], [0.5, 0.75], [0.0, 4.0]).terms(1.0, np.zeros(1)).at(0.0)
    assert (mixture.lower, mixture.upper, mixture.share) == (0, 1, 0.25)
