from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.artifacts.refit import _screened
from planner.cli.report import report_text
from planner.core import Arm, Budget
from planner.curves.logs import Logs, RunTable
from planner.errors import InfeasibleBudget, InvalidInput, NotEnoughData
from planner.policy.baselines import NAMES
from planner.policy.by_bin import shapes_by_bin
from planner.policy.evaluate import evaluate
from planner.policy.promotion import challenge
from planner.policy.report import EvaluationReport

SAMPLE = world.FLOPS_PER_SMALL_SAMPLE
STOP = {"rule": "score", "threshold": 0.8}


@pytest.fixture(scope="module")
def evaluation(pooled_logs):
    budgets = [Budget(mean_flops=n * SAMPLE) for n in (3, 20)]
    return evaluate(pooled_logs, folds=2, budgets=budgets, probes=(2,), cascades=False)


def test_every_prompt_is_held_out_once(evaluation):
    assert sorted(evaluation.rows.tolist()) == list(range(100))


def test_held_out_prompts_were_not_fitted_on(evaluation):
    for fold in evaluation.folds:
        assert not set(fold.table.prompts.ids) & set(fold.policy.sample_ids)


def test_the_report_goes_through_json(evaluation):
    text = evaluation.report.model_dump_json()
    assert EvaluationReport.model_validate_json(text).model_dump_json() == text


def test_all_contenders_and_baselines_are_there(evaluation):
    assert {
        "policy", "policy, 2 probes", "policy, oracle bins", "policy, no text", *NAMES,
    } == {line.contender for line in evaluation.report.lines}  # fmt: skip


def test_coverage_counts_groups_of_prompts_apart_from_arms():
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(80, rng), rng, n_small=4, n_larger=1)
    budgets = [Budget(mean_flops=3 * SAMPLE)]
    found = evaluate(logs, folds=2, budgets=budgets, probes=(), cascades=False)
    checked, n_arms = found.report.coverage, len(found.folds[0].policy.arms)
    assert checked is not None
    assert checked.n_groups == checked.n_prompt_groups * n_arms
    assert 2 <= checked.n_prompt_groups <= 2 * world.N_BINS


def test_the_predictor_stands_beside_its_baselines(evaluation):
    scores = evaluation.report.difficulty
    assert scores["n_prompts"] == 100
    assert scores["predictor"]["spearman"] > scores["global_mean"]["spearman"]


def test_no_shape_is_told_of_generators_that_were_never_logged_in_chains(evaluation):
    assert evaluation.report.shapes == ()


def test_breadth_and_depth_are_compared_by_bin_where_chains_are_logged(evaluation):
    chains = tuple(
        Arm(generator="small", verifier="verifier", selection="weighted_vote", breadth=b, depth=d)
        for b, d in ((4, 1), (2, 2))
    )
    fold = evaluation.folds[0]
    n_prompts, n_bins = len(fold.table.prompts), 5
    outcome = np.tile(np.float32([0.25, 0.75]), (n_prompts, 1))
    model = replace_arms(fold.policy.budget_model, chains)
    table = replace(fold.table.take_arms([0, 1]), arms=chains, outcome=outcome)
    member = np.eye(n_bins)[np.arange(n_prompts) % n_bins]
    shapes = shapes_by_bin([replace(fold, policy=replace(fold.policy, budget_model=model), table=table)], [member])
    assert [(s.breadth, s.depth, s.accuracy) for s in shapes] == [(4, 1, 0.25), (2, 2, 0.75)]
    assert shapes[1].accuracy_by_bin == (0.75,) * n_bins


def replace_arms(model, arms):
    other = copy(model)
    other.arms_ = arms
    return other


def test_the_oracle_beats_every_contender_of_its_cost(evaluation):
    assert all(line.regret > -1e-6 for line in evaluation.report.lines if line.contender == "mixture hull")


def test_the_oracle_spends_what_it_may(pooled_logs):
    budget = Budget(mean_flops=4 * SAMPLE)
    evaluation = evaluate(pooled_logs, folds=2, budgets=[budget], probes=(), cascades=False)
    (oracle,) = evaluation.played["oracle"].values()
    assert np.mean(oracle.cost) == pytest.approx(4 * SAMPLE, rel=1e-3)


def test_the_hull_is_judged_at_the_realised_cost(evaluation):
    cost = 5 * SAMPLE
    played = evaluation.hull.at(cost, np.ones(100, dtype=bool))
    assert played.cost.mean() == pytest.approx(cost, rel=0.01)


def test_probes_are_charged(evaluation):
    rows = evaluation.played["policy, 2 probes"]["mean_flops=4e+09"]
    assert np.nanmin(rows.cost) >= 2 * 1.5 * SAMPLE + SAMPLE * 0.99


def test_a_prompt_with_too_few_samples_for_its_probes_pays_for_none(pooled_logs):
    samples = pooled_logs.samples
    logs = replace(pooled_logs, samples=take(samples, (samples.pool == 1) | (samples.chain < 1)))
    budgets = [Budget(max_flops=3 * SAMPLE)]
    found = evaluate(logs, folds=2, budgets=budgets, probes=(2,), cascades=False, reference="small")
    policy, probed = (found.report.line(name, "max_flops=6e+08") for name in ("policy", "policy, 2 probes"))
    assert (probed.accuracy, probed.cost) == (policy.accuracy, policy.cost)


def test_a_policy_is_not_worse_than_itself(evaluation, policy, pooled_logs):
    verdict = challenge(evaluation, policy, set(pooled_logs.prompts.ids), pooled_logs)
    assert verdict.difference == pytest.approx(0, abs=0.02)
    assert verdict.n_prompts == 100


def test_an_arm_that_one_prompt_has_an_outcome_of_stops_no_evaluation(pooled_logs):
    seldom = Arm(generator="small", verifier="verifier", search="mcts", selection="best_of_n", breadth=4)
    run = world._runs([len(pooled_logs.arms)], [0], [1], [4])
    logs = replace(pooled_logs, arms=(*pooled_logs.arms, seldom), runs=run)
    folds = evaluate(logs, folds=2, budgets=[Budget(mean_flops=3 * SAMPLE)], probes=(), cascades=False).folds
    assert sorted(seldom in fold.policy.arms for fold in folds) == [False, True]


def test_an_average_below_the_cheapest_arms_is_left_out_for_all_and_named(pooled_logs):
    budgets = [Budget(mean_flops=n * SAMPLE) for n in (0.01, 3)]
    report = evaluate(pooled_logs, folds=2, budgets=budgets, probes=(), cascades=False).report
    assert {line.budget_value for line in report.lines} == {3 * SAMPLE}
    assert len(report.warnings) == 1
    assert "no choice of arms keeps mean_flops=2e+06; the least that" in report.warnings[0]


def test_where_all_arms_cost_nearly_the_same_every_fold_can_keep_the_averages_that_are_played():
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(12, rng), rng, n_small=1, n_larger=1)
    tokens = np.rint(rng.gamma(2.0, 40.0, len(logs.samples))).astype(np.float32)
    logs = replace(logs, models={}, samples=replace(logs.samples, completion_tokens=tokens))
    report = evaluate(logs, probes=(), cascades=False).report
    assert report.unit == "tokens"
    told = [line for line in report.lines if line.contender in {"policy", "best single arm", "mixture hull"}]
    assert {(line.contender, line.n_prompts) for line in told} == {
        ("policy", 60), ("best single arm", 60), ("mixture hull", 60),
    }  # fmt: skip


def test_averages_that_are_all_too_low_are_refused(pooled_logs):
    with pytest.raises(InfeasibleBudget, match=r"mean_flops=2e\+06; the least .* is mean_flops=2"):
        evaluate(pooled_logs, folds=2, budgets=[Budget(mean_flops=0.01 * SAMPLE)], probes=(), cascades=False)


def test_generators_logged_on_other_prompts_are_left_out_and_named(pooled_logs):
    samples = pooled_logs.samples
    alone = np.where(samples.pool == 1, samples.prompt >= 60, samples.prompt < 60)
    logs = replace(pooled_logs, samples=take(samples, alone))
    found = evaluate(logs, folds=2, budgets=[Budget(mean_flops=3 * SAMPLE)], probes=(2,), cascades=False)
    assert found.report.n_prompts == 60
    assert {line.n_prompts for line in found.report.lines} == {60}
    assert "left out: 40 of 100 graded prompts, on which only arms of larger are logged" in found.report.warnings[0]
    assert sorted(found.rows.tolist()) == found.judged.tolist() == list(range(60))


def take(samples, kept):
    return replace(samples, **{name: column[kept] for name, column in vars(samples).items()})


def test_of_many_prompts_cascades_are_also_found_on_those_that_a_report_leaves_out():
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(12, rng), rng, n_small=8, n_larger=8)
    samples = logs.samples
    logs = replace(logs, samples=take(samples, (samples.pool == 1) == (samples.prompt >= 35)))
    found = evaluate(logs, folds=2, budgets=[Budget(mean_flops=3 * SAMPLE)], probes=())
    assert {name for arm in found.folds[0].policy.arms for name in arm.generators} == {"small"}
    cascades = [arm for arm in _screened(logs, found, 0) if arm.search == "cascade"]
    assert {name for arm in cascades for name in arm.generators} == {"small", "larger"}


def test_where_every_prompt_has_one_arm_no_gain_is_told_and_that_is_said():
    logs = world.single_arm_logs(4, np.random.default_rng(0))
    report = evaluate(logs, folds=2, budgets=[Budget(mean_flops=3 * SAMPLE)], probes=(), cascades=False).report
    line = report.line("policy", "mean_flops=6e+08")
    assert line is not None
    assert (line.hull, line.gain, report.mean_gain()) == (None, None, None)
    assert "no gain can be told at mean_flops=6e+08" in report.warnings[0]
    assert EvaluationReport.model_validate_json(report.model_dump_json()) == report
    assert "not every accuracy is of all" in report_text(report)


def test_logs_of_cascades_alone_can_be_evaluated(pooled_logs):
    """What a planner that serves cascades logs, where it began with no other runs: no fixed arm is known."""
    stages = [{"generator": "small", "verifier": "verifier", "max_samples": n, "stop": STOP} for n in (2, 4)]
    scored = Arm(generator="small", verifier="verifier", search="cascade", selection="best_of_n")
    arms = tuple(scored.model_copy(update={"breadth": s["max_samples"], "params": {"stages": [s]}}) for s in stages)
    n, rng = len(pooled_logs.prompts), np.random.default_rng(0)
    which = np.arange(2 * n, dtype=np.int32) // n
    tokens = [(which + 1) * np.full(2 * n, amount, np.float32) for amount in (50, 100, 150)]
    nan, drawn = np.full(2 * n, np.nan, np.float32), (which + 1).astype(np.float32)
    right = (rng.random(2 * n) < 0.5 + 0.2 * which).astype(np.float32)
    runs = RunTable(which, np.arange(2 * n, dtype=np.int32) % n, right, drawn, *tokens, nan, nan)
    nothing = take(pooled_logs.samples, np.zeros(len(pooled_logs.samples), bool))
    logs = replace(pooled_logs, samples=nothing, pools=(), arms=arms, runs=runs)
    report = evaluate(logs, folds=2, budgets=[Budget(mean_tokens=400)], probes=()).report
    assert report.line("policy", "mean_tokens=400").gain is not None
    assert report.line("policy", "mean_tokens=400").gain_fixed is None
    assert report.line("mixture hull, fixed arms", "mean_tokens=400") is None
    assert "fixed" not in " ".join(multiple.baseline for multiple in report.multiples)
    assert evaluate(logs, folds=2, probes=()).report.mean_gain() is not None


def test_too_few_prompts_cannot_be_evaluated():
    rng = np.random.default_rng(0)
    logs: Logs = world.pooled_logs(world.draw_prompts(2, rng), rng, n_small=8, n_larger=2)
    for folds, need in ((2, 20), (500, 500)):
        with pytest.raises(NotEnoughData, match=f"10 prompts have a graded outcome: {folds} folds need {need} of them"):
            evaluate(logs, folds=folds, cascades=False)


def test_one_fold_cannot_be_held_out(pooled_logs):
    with pytest.raises(InvalidInput, match="1 folds"):
        evaluate(pooled_logs, folds=1)


@pytest.mark.parametrize("n_texts", [1, 2])
def test_fewer_texts_than_folds_can_be_evaluated(n_texts):
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(6, rng), rng, n_small=8, n_larger=2)
    texts = tuple(f"a prompt {'again ' * (i % n_texts)}" for i in range(len(logs.prompts)))
    budgets = [Budget(mean_flops=n * SAMPLE) for n in (3, 20)]
    same = replace(logs, prompts=replace(logs.prompts, texts=texts))
    report = evaluate(same, folds=3, budgets=budgets, probes=(), cascades=False).report
    assert report.n_prompts == 30


def test_votes_and_best_of_n_are_priced_at_64_and_at_their_most(evaluation):
    names = [multiple.baseline for multiple in evaluation.report.multiples]
    assert names == [
        "majority_vote, 16",
        "weighted_vote, 16",
        "best_of_n, 16",
        "best fixed arm",
        "best fixed arm, less a point",
    ]
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(6, rng), rng, n_small=128, n_larger=1)
    budgets = [Budget(mean_flops=n * SAMPLE) for n in (3, 20)]
    report = evaluate(logs, folds=2, budgets=budgets, probes=(), cascades=False).report
    assert {"best_of_n, 64", "best_of_n, 128"} <= {multiple.baseline for multiple in report.multiples}
