from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.core import Arm, Budget
from planner.curves.tabulation import tabulate
from planner.difficulty.belief import SOURCES
from planner.errors import InfeasibleBudget, InvalidInput, UnknownModel, UnknownStrategy
from planner.policy import PromptInput, Restriction
from planner.policy.choose import Options, aim
from planner.policy.fit import fit_policy

SAMPLE = world.FLOPS_PER_SMALL_SAMPLE
PROMPTS = [PromptInput(text) for text in world.draw_prompts(20, np.random.default_rng(5)).texts]


@pytest.mark.parametrize("samples", [1, 4, 16, 30])
def test_no_recommendation_breaks_a_ceiling(policy, samples):
    budget = Budget(max_flops=samples * SAMPLE, max_generations=8)
    plans = policy.recommend(PROMPTS, budget)
    assert all(plan.forecast.cost_worst.flops <= samples * SAMPLE * 1.001 for plan in plans)
    assert all(plan.forecast.cost_worst.generations <= 8.001 for plan in plans)


@pytest.mark.parametrize("samples", [2, 5, 20])
def test_an_average_over_traffic_is_kept_in_expectation(policy, samples):
    plans = policy.recommend(PROMPTS, Budget(mean_flops=samples * SAMPLE))
    assert np.mean([plan.forecast.cost.flops for plan in plans]) == pytest.approx(samples * SAMPLE, rel=0.25)


def test_a_mixed_choice_records_its_propensity_and_repeats_for_a_seed(policy):
    budget = Budget(mean_flops=2.3 * SAMPLE)
    first, second = (policy.recommend(PROMPTS, budget, seed=3) for _ in range(2))
    assert [plan.arm for plan in first] == [plan.arm for plan in second]
    assert all(0 < plan.propensity <= 1 for plan in first)


@pytest.mark.parametrize("target", [None, 0.6])
def test_a_propensity_is_the_share_of_seeds_that_take_the_arm(policy, pooled_logs, target):
    # Of unseen prompts hardly one stands at the very rate at which a logged one changes its arm.
    prompts = [PromptInput(text) for text in pooled_logs.prompts.texts]
    budget, n_seeds = Budget(mean_flops=2.3 * SAMPLE), 100
    taken = [policy.recommend(prompts, budget, seed=seed, target_accuracy=target) for seed in range(n_seeds)]
    propensities = set()
    for plans in zip(*taken, strict=True):
        for arm in {plan.arm for plan in plans}:
            own = [plan.propensity for plan in plans if plan.arm == arm]
            propensities |= {round(one, 6) for one in own}
            assert max(own) == min(own) == pytest.approx(len(own) / n_seeds, abs=0.2)
            assert (len(own) == n_seeds) == (own[0] == 1)
    assert target or len(propensities) > 1


def test_a_prompt_is_answered_alike_alone_and_in_a_batch(policy):
    budget = Budget(mean_flops=6 * SAMPLE)
    together = policy.recommend(PROMPTS[:10], budget)
    alone = [policy.recommend([prompt], budget)[0] for prompt in PROMPTS[:10]]
    assert [plan.arm for plan in together] == [plan.arm for plan in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.forecast.accuracy == pytest.approx(other.forecast.accuracy, abs=1e-6)
        assert one.forecast.cost_worst.flops == pytest.approx(other.forecast.cost_worst.flops, rel=1e-5)
        assert [rival.arm for rival in one.alternatives] == [rival.arm for rival in other.alternatives]


def test_a_total_is_kept_over_a_batch(policy):
    total = 7.0 * SAMPLE * len(PROMPTS)
    plans = policy.allocate(PROMPTS, Budget(max_flops=total))
    spent = sum(plan.forecast.cost.flops for plan in plans)
    assert all(plan.budget is None and f"a total of {total:.4g} flops" in plan.reason for plan in plans)
    assert spent <= total * 1.0001
    assert spent >= total - max(plan.forecast.cost.flops for plan in plans) - 64 * 1.5 * SAMPLE


def test_a_budget_that_fits_no_arm_is_an_error_with_the_least_that_would(policy):
    answer = policy.recommend(PROMPTS[:1], Budget(max_flops=1000))[0]
    assert isinstance(answer, InfeasibleBudget)
    assert "max_flops=2" in str(answer)
    assert not isinstance(policy.recommend(PROMPTS[:1], Budget(max_flops=2.001e8))[0], InvalidInput)


def test_ceilings_that_no_logged_prompt_fits_are_told_of_each_prompt_under_an_average_too(policy):
    prompts = [PROMPTS[0], PromptInput(PROMPTS[1].text + " and so on" * 200)]
    answers = policy.recommend(prompts, Budget(max_flops=1000, mean_flops=4 * SAMPLE))
    without = policy.recommend(prompts, Budget(max_flops=1000))
    assert all(isinstance(answer, InfeasibleBudget) for answer in answers)
    assert [str(answer) for answer in answers] == [str(answer) for answer in without]


def test_an_unknown_price_names_the_missing_field_of_the_model_card(policy):
    answer = policy.recommend(PROMPTS[:1], Budget(max_usd=1.0))[0]
    assert "usd_per_million_prompt_tokens" in str(answer)
    assert all(
        command in str(answer) for command in ("planner models import", "planner fit", "planner policies promote")
    )
    with pytest.raises(InfeasibleBudget, match="usd_per_million_prompt_tokens"):
        policy.recommend(PROMPTS[:1], Budget(mean_usd=1.0))


def test_a_target_is_reached_by_the_cheapest_arm_that_does(policy):
    plan = policy.recommend([PromptInput("river music stone: a trivial problem, item 3")], target_accuracy=0.8)[0]
    dear = policy.recommend([PromptInput("river music stone: a trivial problem, item 3")], Budget(max_flops=1e12))[0]
    assert plan.forecast.accuracy >= 0.8
    assert plan.forecast.cost.flops < dear.forecast.cost.flops


def test_a_target_out_of_reach_says_so(policy):
    plan = policy.recommend([PromptInput("river music stone: a fiendish problem, item 3")], target_accuracy=0.999)[0]
    assert "no arm" in plan.reason


def test_a_target_is_reached_where_no_tokens_are_logged(pooled_logs):
    unknown = np.full(len(pooled_logs.samples), np.nan, np.float32)
    tokens = dict.fromkeys(("prompt_tokens", "completion_tokens", "verifier_tokens"), unknown)
    logs = replace(pooled_logs, samples=replace(pooled_logs.samples, **tokens))
    plan = fit_policy(tabulate(logs, cascades=False), seed=0).recommend(PROMPTS[:1], target_accuracy=0.3)[0]
    assert "cheapest arm expected to reach 0.3" in plan.reason
    assert plan.forecast.cost.generations == 1


def test_an_arm_of_unknown_price_reaches_a_target_that_no_other_does(policy):
    forecasts = policy.budget_model.forecast(policy.believe(PROMPTS[:1]))
    options = Options.of(forecasts, np.ones((1, 5)) / 5, np.ones((1, len(policy.arms)), bool), "flops", policy.noise)
    best = int(options.accuracy.argmax())
    accuracy, price = 0.9 * options.accuracy, options.price.copy()
    accuracy[0, best], price[0, best] = 0.99, np.inf
    options = options._replace(accuracy=accuracy, price=price)
    aimed, easier = (aim(options, target, np.zeros(1, np.intp), capped=False) for target in (0.98, 0.8))
    assert (aimed.arm.tolist(), aimed.reached.tolist()) == ([best], [True])
    assert np.isfinite(price[0, easier.arm]).all()


@pytest.mark.parametrize(
    ("restriction", "holds"),
    [
        (Restriction(generators=("larger",)), lambda arm: arm.generator == "larger"),
        (Restriction(selections=("majority_vote",)), lambda arm: arm.selection == "majority_vote"),
    ],
)
def test_a_restriction_is_kept(policy, restriction, holds):
    plans = policy.recommend(PROMPTS, Budget(mean_flops=30 * SAMPLE), restriction=restriction)
    assert all(holds(plan.arm) for plan in plans)


@pytest.mark.parametrize(
    ("restriction", "error"),
    [(Restriction(generators=("nobody",)), UnknownModel), (Restriction(searches=("magic",)), UnknownStrategy)],
)
def test_an_unknown_name_is_refused(policy, restriction, error):
    with pytest.raises(error, match="there are"):
        policy.recommend(PROMPTS, Budget(max_flops=1e10), restriction=restriction)


def test_a_forced_arm_is_forecast(policy):
    arm = policy.arms[3]
    plan = policy.recommend(PROMPTS[:1], arm=arm)[0]
    assert plan.arm == arm


def test_a_forced_arm_that_may_pass_the_budget_says_so(policy):
    arm = Arm(generator="small", search="sampling", selection="majority_vote", breadth=16)
    few, many = (policy.recommend(PROMPTS[:1], Budget(max_generations=n), arm=arm)[0] for n in (4, 16))
    assert few.reason == "the arm was given by the caller, and may take more than the budget"
    assert many.reason == "the arm was given by the caller"


def test_a_forced_arm_that_may_miss_the_target_says_so(policy):
    fitted, between = (Arm(generator="small", selection="majority_vote", breadth=n) for n in (16, 12))
    for arm in (fitted, between):
        high, low = (policy.recommend(PROMPTS[:1], target_accuracy=a, arm=arm)[0] for a in (0.999, 0.01))
        assert high.reason == "the arm was given by the caller, and is not expected to reach 0.999"
        assert low.reason == "the arm was given by the caller"
        assert high.target_accuracy == 0.999


def test_a_forced_arm_that_is_not_fitted_is_refused(policy):
    with pytest.raises(InvalidInput, match="not among"):
        policy.recommend(PROMPTS[:1], arm=Arm(generator="nobody"))


def test_nothing_asked_is_refused(policy):
    with pytest.raises(InvalidInput, match="give a budget"):
        policy.recommend(PROMPTS[:1], Budget())


def test_thin_evidence_declines_to_one_arm_for_all(pooled_table):
    thin = fit_policy(pooled_table.take_prompts(np.arange(20)), seed=0)
    plans = thin.recommend(PROMPTS, Budget(max_flops=8 * SAMPLE))
    assert all(plan.declined and "only 20 prompts" in plan.reason for plan in plans)
    assert len({plan.arm for plan in plans}) == 1


@pytest.mark.parametrize("share", [1.001, 0.5])
def test_a_prompt_that_is_declined_takes_no_dearer_arm_than_the_average_or_the_cheapest(policy, share):
    cost = policy.traffic.cost("flops")
    budget = Budget(mean_flops=share * float(cost.min()))
    belief = policy.believe(PROMPTS)
    forecasts, mask = policy.budget_model.forecast(belief), policy.mask(Restriction())
    options = Options.of(forecasts, belief.bins, np.ones_like(forecasts.accuracy, dtype=bool), "flops", policy.noise)
    allowed = policy._defaults(options, np.ones(len(belief), dtype=bool), budget, mask).allowed
    assert allowed.any(axis=1).all()
    assert cost[allowed.any(axis=0)].max() <= 1.01 * cost.min()


def test_who_declines_still_says_whether_the_target_is_reached(policy):
    strange = [PromptInput("Quel temps fait-il a Paris?")]
    cheap = policy.recommend(strange, target_accuracy=0.3)[0]
    assert cheap.declined
    assert "the cheapest single arm expected to reach 0.3" in cheap.reason
    assert "no single arm is expected to reach 0.9999" in policy.recommend(strange, target_accuracy=0.9999)[0].reason


def test_enough_evidence_does_not_decline(policy):
    plans = policy.recommend(PROMPTS, Budget(max_flops=8 * SAMPLE))
    assert not any(plan.declined for plan in plans)


def test_runners_up_are_other_arms_that_fit(policy):
    budget = Budget(max_flops=8 * SAMPLE)
    plan = policy.recommend(PROMPTS[:1], budget)[0]
    assert plan.alternatives
    assert all(other.arm != plan.arm and other.forecast.cost_worst.fits(budget) for other in plan.alternatives)


def test_recommendations_are_valid_and_go_through_json(policy):
    for plan in policy.recommend(PROMPTS[:5], Budget(mean_flops=5 * SAMPLE)):
        assert type(plan).model_validate_json(plan.model_dump_json()) == plan


def test_under_an_average_text_is_drawn_towards_what_is_believed_of_any_prompt(policy):
    belief = policy.believe(PROMPTS)
    forecasts = policy.budget_model.forecast(belief)
    probed = replace(belief, source=np.full(len(belief), SOURCES.index("probes"), dtype=np.int8))
    budget = Budget(mean_flops=6 * SAMPLE)
    told, known = (policy.decide(forecasts, one, budget).ranking for one in (belief, probed))
    by_arm = np.isfinite(known).all(axis=0) & np.isfinite(told).all(axis=0)
    assert np.ptp(told[:, by_arm], axis=0).sum() < 0.9 * np.ptp(known[:, by_arm], axis=0).sum()
