from __future__ import annotations

import pytest

from planner.core import Arm


def cascade(threshold, *, rule="score", batch=1):
    stop = {"rule": rule, {"score": "threshold", "agreement": "share"}[rule]: threshold}
    first = {"generator": "small", "draw": "attempts", "max_samples": 4, "batch": batch, "stop": stop}
    stages = [first, {"generator": "large"}]
    return Arm(generator="small", search="cascade", selection="best_of_n", params={"stages": stages})


def test_a_label_names_every_stage_with_its_stop_rule():
    assert cascade(0.8).label == "small <=4 attempts until score 0.8 > large, best_of_n"
    assert cascade(0.7, rule="agreement").label == "small <=4 attempts until 0.7 of 2+ agree > large, best_of_n"


def test_arms_whose_thresholds_differ_by_little_are_told_apart():
    assert cascade(0.99).label != cascade(0.991).label
    assert "until score 0.991" in cascade(0.991).label


def test_cascades_whose_batches_alone_differ_are_told_apart():
    assert cascade(0.8, batch=2).label == "small <=4 attempts (2 at a time) until score 0.8 > large, best_of_n"


def test_cascades_whose_pools_settings_alone_differ_are_told_apart():
    arm = cascade(0.8)
    warm, mixed = (
        arm.model_copy(update={"params": arm.params | {"settings": settings}})
        for settings in ([{"temperature": 1.0}, {}], [{"temperature": 1.0}, {"top_p": 0.9}])
    )
    assert warm.label == "small (temperature=1.0) <=4 attempts until score 0.8 > large, best_of_n"
    assert mixed.label == "small (temperature=1.0) <=4 attempts until score 0.8 > large (top_p=0.9), best_of_n"
    assert len({arm.shape, warm.shape, mixed.shape}) == 3


@pytest.mark.parametrize("settings", [None, 3, "warm", [], [None], [{}, {}, {"more": 1}]])
def test_settings_that_are_no_pools_do_not_stand_in_a_label(settings):
    arm = cascade(0.8)
    odd = arm.model_copy(update={"params": arm.params | {"settings": settings}})
    assert odd.label.startswith("small <=4 attempts until score 0.8 > large, best_of_n")


def test_cascades_that_differ_in_a_threshold_or_a_batch_have_one_shape():
    assert cascade(0.8).shape == cascade(0.9).shape == "small <=4 attempts until a score > large, best_of_n"
    assert cascade(0.8, batch=2).shape == cascade(0.8).shape
    assert cascade(0.8, rule="agreement").shape != cascade(0.8).shape


def test_the_shape_of_a_fixed_arm_is_its_label():
    arm = Arm(generator="small", selection="majority_vote", breadth=8)
    assert arm.shape == arm.label == "small majority_vote 8"


def test_a_copy_with_other_values_has_a_key_and_a_label_of_its_own():
    arm = Arm(generator="g", verifier="v", selection="best_of_n", breadth=4)
    assert arm.key
    assert arm.label
    copy = arm.model_copy(update={"selection": "weighted_vote"})
    fresh = Arm(generator="g", verifier="v", selection="weighted_vote", breadth=4)
    assert (copy.key, copy.label, hash(copy)) == (fresh.key, fresh.label, hash(fresh))


@pytest.mark.parametrize(
    ("arm", "label"),
    [
        (Arm(generator="small", selection="weighted_vote", breadth=2), "small weighted_vote 2 (step_score=min)"),
        (Arm(generator="small"), "small, one sample (step_score=min)"),
        (Arm(generator="small", search="mcts", breadth=4), "small mcts 4 (step_score=min), first"),
        (cascade(0.8), "small <=4 attempts until score 0.8 > large, best_of_n (step_score=min)"),
    ],
)
def test_arms_that_differ_in_a_parameter_alone_are_told_apart(arm, label):
    other = arm.model_copy(update={"params": {**arm.params, "step_score": "min"}})
    assert other.label == label
    assert other.shape != arm.shape
