"""Arms that are forced but not fitted themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner import Arm, Budget, Planner
from planner.curves.tabulation import tabulate
from planner.errors import InvalidInput
from planner.policy import PromptInput
from planner.policy.between import place_of
from planner.policy.fit import fit_policy

ASKED = PromptInput("river music stone: a thorny problem, item 3")
PROMPT = "Start with 11. Multiply by 5. How many now?"


def vote(breadth: int, **more: object) -> Arm:
    return Arm(generator="g", verifier="v", selection="best_of_n", breadth=breadth, **more)


def test_an_arm_stands_between_its_neighbours_in_the_logarithm_of_its_breadth():
    place = place_of(vote(8), [vote(4), vote(16), vote(64)])
    assert (place.lower.breadth, place.upper.breadth, place.share, place.past_the_log) == (4, 16, 0.5, False)


def test_past_the_largest_breadth_is_past_the_log():
    assert place_of(vote(128), [vote(4), vote(64)]).past_the_log


@pytest.mark.parametrize("arm", [vote(8, depth=2), vote(8, search="beam_search"), Arm(generator="other", breadth=8)])
def test_what_differs_in_more_than_breadth_has_no_place(arm):
    assert place_of(arm, [vote(4), vote(16)]) is None


def test_a_forced_breadth_is_forecast_between_the_fitted_ones(home):
    with Planner.open() as planner:
        arms = {n: Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=n) for n in (4, 6, 8)}
        low, middle, high = (planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=arms[n]).forecast for n in (4, 6, 8))
        assert min(low.accuracy, high.accuracy) <= middle.accuracy <= max(low.accuracy, high.accuracy)
        assert middle.cost.generations == pytest.approx(6, rel=1e-3)
        assert not middle.extrapolated


def test_a_breadth_past_the_log_is_marked_and_its_interval_wider(home):
    with Planner.open() as planner:
        arms = [Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=n) for n in (12, 99)]
        known = max(
            (arm for arm in planner.policy.arms if arm.model_copy(update={"breadth": 99}) == arms[1]),
            key=lambda a: a.breadth,
        )
        inside, outside = (
            planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=arm).forecast for arm in (known, arms[1])
        )
        assert outside.extrapolated
        assert outside.accuracy == inside.accuracy
        assert outside.accuracy_low < inside.accuracy_low
        assert outside.cost.generations == pytest.approx(99, rel=1e-3)


@pytest.mark.parametrize(("concurrency", "seconds"), [(4, (2.4, 25.6)), (20, (0.8, 5.6)), (None, (0.8, 0.8))])
def test_chains_beyond_the_concurrency_wait_for_the_wave_before(concurrency, seconds):
    """Small samples take .8 seconds each; logged in breadths up to 32."""
    rng = np.random.default_rng(0)
    logs = world.pooled_logs(world.draw_prompts(10, rng), rng, n_small=32, n_larger=1)
    small = logs.models["small"].model_copy(update={"max_concurrency": concurrency})
    logs = replace(logs, models={**logs.models, "small": small})
    policy = fit_policy(tabulate(logs, cascades=False), logs=logs)
    arms = [Arm(generator="small", selection="majority_vote", breadth=n) for n in (12, 128)]
    plans = [policy.recommend([ASKED], Budget(max_generations=400), arm=arm)[0] for arm in arms]
    assert [plan.forecast.cost.latency_seconds for plan in plans] == pytest.approx(seconds, rel=0.01)
    assert [plan.forecast.cost_worst.latency_seconds for plan in plans] == pytest.approx(seconds, rel=0.01)


def test_the_reason_is_that_of_the_breadth_itself(policy):
    arm = Arm(generator="small", verifier="verifier", selection="best_of_n", breadth=12)
    over, within = (policy.recommend([ASKED], Budget(max_generations=n), arm=arm)[0] for n in (10, 12))
    assert over.reason == "the arm was given by the caller, and may take more than the budget"
    assert within.reason == "the arm was given by the caller"


def test_what_nothing_fitted_is_like_is_refused(home):
    with Planner.open() as planner, pytest.raises(InvalidInput, match="not among"):
        planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=Arm(generator="nobody", breadth=3))
