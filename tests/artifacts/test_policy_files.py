"""A policy on disk decides as the one in memory did."""

from __future__ import annotations

import json
from dataclasses import fields

from planner import Budget, Planner
from planner.artifacts.arrays import from_json
from planner.artifacts.policy_files import POLICY, policy_files, policy_from_files
from planner.policy import Policy, PromptInput

PROMPTS = [PromptInput(f"Start with {i}. Double it. How many now?") for i in range(20)]


def test_reading_and_writing_again_gives_the_same_bytes(home):
    with Planner.open() as planner:
        policy = planner.policy
    files = policy_files(policy)
    assert policy_files(policy_from_files(files, "again")) == files


def test_a_policy_read_back_recommends_the_same(home):
    with Planner.open() as planner:
        policy = planner.policy
    again = policy_from_files(policy_files(policy), policy.policy_id)
    for budget in (Budget(max_generations=4), Budget(mean_flops=3e8)):
        pairs = zip(policy.recommend(PROMPTS, budget), again.recommend(PROMPTS, budget), strict=True)
        assert all(
            a.model_copy(update={"recommendation_id": ""}) == b.model_copy(update={"recommendation_id": ""})
            for a, b in pairs
        )


def test_no_field_of_a_policy_is_left_behind(home):
    with Planner.open() as planner:
        state = from_json(policy_files(planner.policy)[POLICY])
    own = {f.name for f in fields(Policy) if f.init and not f.name.startswith("_")}
    assert own - {"predictor", "budget_model", "policy_id", "adaptive"} == set(state)


def test_the_artifact_names_its_training_prompts(home):
    with Planner.open() as planner:
        _, files = planner.artifacts.read(planner.policy.policy_id)
    assert len(json.loads(files["prompts.json"])) == 90
