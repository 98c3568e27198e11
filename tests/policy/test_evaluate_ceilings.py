"""Contenders of an evaluation keep every limit: ceilings by the worst case, each in its own unit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import simulated as world

from planner.core import Budget
from planner.curves.costs import logged_cost
from planner.curves.tabulation import tabulate
from planner.policy.baselines import FAMILIES
from planner.policy.evaluate import evaluate
from planner.policy.held_out import less
from planner.policy.probing import ProbeSource

SAMPLE = world.FLOPS_PER_SMALL_SAMPLE
BUDGETS = [
    Budget(max_flops=8 * SAMPLE, max_generations=4),
    Budget(mean_flops=6 * SAMPLE, max_generations=16),
    Budget(mean_flops=6 * SAMPLE, max_latency_seconds=4),
]


@pytest.fixture(scope="module")
def evaluation(pooled_logs):
    return evaluate(pooled_logs, folds=2, budgets=BUDGETS, probes=(2,), cascades=False, unit="flops")


def test_probes_are_taken_off_what_each_limit_leaves_in_its_own_unit():
    spent = {"generations": 2.0, "flops": 3 * SAMPLE, "usd": float("nan")}
    budget = Budget(max_generations=16, mean_flops=10 * SAMPLE)
    assert less(budget, spent) == Budget(max_generations=14, mean_flops=7 * SAMPLE)
    assert less(Budget(max_generations=2), spent) is None
    assert less(Budget(max_generations=16, mean_usd=1.0), spent) is None
    assert less(budget, {}) == budget


@pytest.mark.parametrize("kind", ["orm", "generator"])
def test_probes_cost_what_an_arm_of_as_many_scored_samples_does(pooled_logs, kind):
    judge = pooled_logs.models["verifier"].model_copy(update={"kind": kind})
    logs = replace(pooled_logs, models={**pooled_logs.models, "verifier": judge})
    table = tabulate(logs, cascades=False)
    place = [(arm.generator, arm.selection, arm.breadth) for arm in table.arms].index(("small", "best_of_n", 4))
    source = ProbeSource.of(logs, "small")
    for unit in ("generations", "tokens", "flops"):
        assert source.cost(table, 4, unit) == pytest.approx(logged_cost(table, unit)[:, place], rel=1e-5)


def test_probes_are_played_under_ceilings_too(evaluation):
    budgets = {line.budget for line in evaluation.report.lines if line.contender == "policy, 2 probes"}
    assert budgets == set(evaluation.budgets)


def test_with_two_probes_two_generations_fewer_are_left(evaluation):
    label = next(iter(evaluation.budgets))
    arms = evaluation.played["policy, 2 probes"][label].arm
    assert max(evaluation.folds[0].policy.arms[arm].breadth for arm in arms) <= 2


@pytest.mark.parametrize("family", [*FAMILIES, "oracle"])
def test_baselines_keep_every_ceiling_in_the_worst_case(evaluation, family):
    arms = evaluation.folds[0].policy.arms
    for (label, plays), most in zip(evaluation.played[family].items(), (4, 16, 64), strict=True):
        taken = [arms[arm] for arm in plays.arm if arm >= 0]
        assert all(arm.breadth <= most for arm in taken), label
        assert family in ("larger generator", "oracle") or taken


def test_a_family_without_an_arm_that_keeps_a_ceiling_has_no_line(evaluation):
    label = next(iter(evaluation.budgets))
    assert evaluation.report.line("larger generator", label) is None


def test_the_mixture_hull_is_one_of_arms_that_keep_the_ceilings(evaluation):
    label = next(iter(evaluation.budgets))
    line, best = (evaluation.report.line(name, label) for name in ("mixture hull", "best single arm"))
    assert (line.accuracy, line.cost) == (best.accuracy, best.cost)
    assert evaluation.report.line("policy", label).gain is not None
