"""Runs, grades, policies, curves, health."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from planner import Planner
from planner.service.routes.insight import difficulty

PROMPT = "Start with 11. Multiply by 5. How many now?"


def run(place: int) -> dict[str, object]:
    return {
        "run_id": f"r{place}",
        "prompt": f"{PROMPT} {place}",
        "generator": "lab-small",
        "selection": "first",
        "answer": "55",
    }


def test_runs_are_stored_when_they_are_answered(client, home):
    answer = client.post("/v1/runs", json={"runs": [run(i) for i in range(5)]})
    assert (answer.status_code, answer.json()["runs"], answer.json()["run_ids"][4]) == (201, 5, "r4")
    with Planner.open() as planner:
        assert planner.store.has_run("r4")


def test_a_run_of_a_prompt_that_is_too_long_is_refused_with_the_others(serve, home):
    answer = serve(service_max_prompt_characters=100).post("/v1/runs", json={"runs": [run(1), run(2 * 10**99)]})
    assert (answer.status_code, "PLANNER_SERVICE_MAX_PROMPT_CHARACTERS" in answer.json()["detail"]) == (413, True)
    with Planner.open() as planner:
        assert not planner.store.has_run("r1")


def test_the_same_run_twice_is_one(client):
    client.post("/v1/runs", json=run(1))
    answer = client.post("/v1/runs", json=run(1)).json()
    assert (answer["runs"], answer["duplicates"]) == (0, 1)


def test_a_bad_run_of_many_stores_none(client, home):
    answer = client.post("/v1/runs", json={"runs": [run(1), run(2) | {"completion_tokens": -4}]})
    assert answer.status_code == 422
    with Planner.open() as planner:
        assert not planner.store.has_run("r1")


@pytest.mark.parametrize("where", ["generator", "verifier"])
def test_a_sample_of_a_model_without_a_name_is_refused(client, where):
    answer = client.post("/v1/runs", json=run(1) | {"samples": [{"answer": "55", where: ""}]})
    assert (answer.status_code, where in answer.json()["detail"]) == (422, True)


def test_a_run_is_graded_late(client):
    client.post("/v1/runs", json=run(1))
    assert client.post("/v1/runs/r1/grade", json={"correct": 1}).status_code == 204


def test_a_grade_of_an_unknown_run_is_404(client):
    assert client.post("/v1/runs/nope/grade", json={"correct": 1}).status_code == 404


def test_a_grade_outside_0_to_1_is_422(client):
    assert client.post("/v1/runs/nope/grade", json={"correct": 2}).status_code == 422


def test_policies_are_listed_shown_and_promoted(client):
    listed = client.get("/v1/policies").json()["policies"]
    shown = client.get("/v1/policies/promoted").json()
    assert listed[0]["status"] == "promoted"
    assert shown["n_prompts"] == 90
    assert client.post(f"/v1/policies/{listed[0]['policy_id']}/promote").json()["status"] == "promoted"


def test_an_unknown_policy_is_404(client):
    assert client.get("/v1/policies/nope").status_code == 404


def test_nothing_to_roll_back_to_is_409(client):
    answer = client.post("/v1/policies/rollback")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")


def test_curves_have_a_point_for_every_arm_and_bin(client):
    curves = client.get("/v1/curves").json()
    assert len(curves["points"]) == len(curves["arms"]) * (1 + len(curves["bin_shares"]))
    assert all(0 <= p["accuracy_low"] <= p["accuracy"] <= p["accuracy_high"] <= 1 for p in curves["points"])


def test_accuracy_falls_from_the_easiest_bin_to_the_hardest(client):
    curves = client.get("/v1/curves", params={"generator": "lab-small"}).json()
    single = next(i for i, label in enumerate(curves["labels"]) if label == "lab-small, one sample")
    accuracy = [p["accuracy"] for p in curves["points"] if p["arm"] == single and p["bin"] > 0]
    assert accuracy == sorted(accuracy, reverse=True)


def test_a_bin_that_is_not_there_is_422(client):
    assert client.get("/v1/curves", params={"bin": 9}).status_code == 422


def test_strategies_bear_the_schema_of_their_parameters(client):
    found = {one["name"]: one for one in client.get("/v1/strategies").json()["strategies"]}
    assert found["sampling"]["parameters"]["type"] == "object"


def test_a_service_without_a_policy_is_alive_but_not_ready(serve, tmp_path):
    client = serve(database_url=f"sqlite:///{tmp_path / 'new.db'}")
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["policy"]) == (503, "NoActivePolicy")
    answer = client.post("/v1/recommendations", json={"prompt": PROMPT, "budget": {"max_tokens": 100}})
    assert (answer.status_code, "planner demo" in answer.json()["detail"]) == (409, True)


def test_the_api_describes_itself(client):
    spec = client.get("/openapi.json").json()
    assert "/v1/recommendations" in spec["paths"]


def test_difficulty_tells_what_was_expected_of_each_bin_and_what_came(client):
    found = client.get("/v1/difficulty").json()
    assert abs(sum(one["share"] for one in found["histogram"]) - 1) < 1e-6
    expected = [one["expected"] for one in found["calibration"]]
    assert expected == sorted(expected, reverse=True)


def test_forecasts_that_came_true_lie_on_the_diagonal(home):
    with Planner.open() as planner:
        policy = planner.policy
        forecasts = policy.traffic.forecasts.accuracy
        believed = policy.sample.bins / policy.sample.bins.sum(axis=0)
        came = np.vstack([forecasts.mean(axis=0), believed.T @ forecasts])
        true = SimpleNamespace(planner=SimpleNamespace(policy=replace(policy, logged_accuracy=came)))
        calibration = difficulty(true).calibration
    assert len(calibration) == policy.sample.bins.shape[1]
    assert [one.expected for one in calibration] == pytest.approx([one.observed for one in calibration], abs=1e-4)


def carried_out(client, correct: float, **known: object) -> None:
    asked = {"prompt": PROMPT, "budget": {"mean_flops": 3e8}} | known
    plan = client.post("/v1/recommendations", json=asked).json()
    tokens = {"prompt_tokens": 20, "completion_tokens": 30, "verifier_tokens": 0}
    ids = {"run_id": plan["recommendation_id"], "recommendation_id": plan["recommendation_id"], "propensity": 1}
    assert client.post("/v1/runs", json=run(0) | ids | tokens | {"correct": correct}).status_code == 201


def test_production_sets_forecasts_beside_outcomes(client):
    for correct in (1, 1, 0, 0):
        carried_out(client, correct)
    found = client.get("/v1/production").json()
    assert (found["n_runs"], found["n_graded"]) == (4, 4)
    assert found["drift_low"] < found["drift"] < min(found["drift_high"], 0)
    assert found["tokens"] > 0
    assert sum(one["n"] for one in found["classes"]) == 4
    assert all(0 <= one["realised_low"] < one["realised"] < one["realised_high"] <= 1 for one in found["classes"])


def test_a_few_runs_that_went_well_say_little_of_production(client):
    carried_out(client, 1)
    found = client.get("/v1/production").json()
    (one,) = found["classes"]
    assert found["drift_low"] < 0 < found["drift"] < found["drift_high"]
    assert one["realised_low"] < one["forecast"] < one["realised"] == one["realised_high"] == 1


def test_who_looks_at_a_few_runs_does_not_change_the_figures_of_all(client):
    carried_out(client, 0)
    assert client.get("/v1/production", params={"limit": 1}).json()["drift"] < -0.5
    assert "calibration_drift" not in client.get("/metrics").text


def test_savings_are_told_in_any_unit(client):
    carried_out(client, 1)
    found = client.get("/v1/savings", params={"unit": "tokens"}).json()
    assert (found["unit"], found["n"]) == ("tokens", 1)
    assert found["best_of_n"] >= 0


def test_an_arm_that_the_caller_named_saves_nothing_and_is_no_plan(client):
    named = client.get("/v1/curves").json()["arms"][0]
    for budget in (None, {"max_generations": 1e6}):
        carried_out(client, 1, arm=named, budget=budget)
    found = client.get("/v1/savings").json()
    assert (found["n_plans"], found["n"], found["times"]) == (0, 0, None)
    carried_out(client, 1)
    assert client.get("/v1/savings").json()["n_plans"] == 1
    assert client.get("/v1/production").json()["n_runs"] == 3


def test_without_any_run_nothing_is_claimed(client):
    assert client.get("/v1/production").json()["drift"] is None
    assert client.get("/v1/savings").json()["times"] is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/recommendations", "GET, POST"),
        ("GET", "/v1/chat/completions", "POST"),
        ("PATCH", "/v1/runs/r1/grade", "POST"),
        ("PUT", "/v1/policies/p1", "GET"),
        ("OPTIONS", "/v1/policies/rollback", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/static/app.js", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_told_which_are(client, method, path, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/recommendations", "/v1/runs", "/v1/fits"])
@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_said_to_be_json_is_told_by_its_header(client, path, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client.post(path, content=b'{"prompt": "x", "generator": "g"}', headers=headers)
    said = f"a body is read as JSON where the header Content-Type is application/json: here it is {kind or 'none'}"
    assert (answer.status_code, answer.json()["detail"]) == (422, said)


def test_no_body_at_all_is_told_as_that(client):
    answer = client.post("/v1/recommendations")
    assert (answer.status_code, answer.json()["detail"]) == (422, "body: Field required")


@pytest.mark.parametrize("path", ["completions", "embeddings", "responses", "responses/r1"])
def test_routes_of_openai_that_are_not_there_are_missed_in_its_form(client, path):
    answer = client.post(f"/v1/{path}", json={})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"there is no POST /v1/{path} here: /docs tells what there is"
    assert client.post("/v1/nothing").json()["detail"].startswith("there is no POST /v1/nothing here")
