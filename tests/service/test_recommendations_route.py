"""POST /v1/recommendations and what comes of them."""

from __future__ import annotations

import pytest

from planner import Recommendation

PROMPT = "Start with 11. Multiply by 5. How many now?"
ROUTE = "/v1/recommendations"
BUDGET = {"max_generations": 4}


def test_one_prompt_gets_one_recommendation(client):
    answer = client.post(ROUTE, json={"prompt": PROMPT, "budget": BUDGET})
    assert answer.status_code == 200
    assert Recommendation.model_validate_json(answer.content).forecast.cost_worst.generations <= 4


def test_many_prompts_get_one_answer_each_in_order(client):
    prompts = [{"prompt": f"Start with {i}. Add 3. How many now?", "prompt_id": f"p{i}"} for i in range(30)]
    found = client.post(ROUTE, json={"prompts": prompts, "budget": BUDGET}).json()["recommendations"]
    assert [one["prompt_id"] for one in found] == [f"p{i}" for i in range(30)]


def test_a_prompt_of_many_that_cannot_be_answered_says_why(client):
    prompts = [{"prompt": PROMPT, "prompt_id": "good"}, {"prompt": " ", "prompt_id": "bad"}]
    answer = client.post(ROUTE, json={"prompts": prompts, "budget": BUDGET})
    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]


def test_a_total_is_kept_over_all_prompts(client):
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(20)]
    found = client.post(ROUTE, json={"prompts": prompts, "total": {"max_generations": 60}}).json()
    assert sum(one["forecast"]["cost"]["generations"] for one in found["recommendations"]) <= 60 * 1.0001


def test_a_served_recommendation_can_be_asked_for_again(client):
    made = client.post(ROUTE, json={"prompt": PROMPT, "budget": BUDGET}).json()
    assert client.get(f"{ROUTE}/{made['recommendation_id']}").json() == made


def test_an_unknown_recommendation_is_404(client):
    assert client.get(f"{ROUTE}/nope").status_code == 404


def test_a_recommendation_stands_beside_the_run_that_carried_it_out(client):
    made = client.post(ROUTE, json={"prompt": PROMPT, "budget": BUDGET}).json()
    run = {
        "run_id": "r1", "prompt": PROMPT, "generator": "lab-small", "selection": "first", "answer": "55", "correct": 1,
        "completion_tokens": 12, "recommendation_id": made["recommendation_id"], "propensity": 1,
    }  # fmt: skip
    assert client.post("/v1/runs", json=run).status_code == 201
    outcome = client.get(ROUTE, params={"carried_out": True}).json()["outcomes"][0]
    assert outcome["recommendation"]["recommendation_id"] == made["recommendation_id"]
    assert (outcome["realised"]["correct"], outcome["realised"]["cost"]["completion_tokens"]) == (1.0, 12)


def test_pages_of_outcomes_go_on_where_the_last_ended(client):
    for _ in range(3):
        client.post(ROUTE, json={"prompt": PROMPT, "budget": BUDGET})
    first = client.get(ROUTE, params={"limit": 2}).json()
    second = client.get(ROUTE, params={"limit": 2, "before": first["next_before"]}).json()
    keys = [one["key"] for page in (first, second) for one in page["outcomes"]]
    assert keys == sorted(keys, reverse=True)
    assert (len(keys), second["next_before"]) == (3, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "give `prompt`, or `prompts`"),
        ({"prompt": PROMPT, "prompts": [PROMPT]}, "give `prompt`, or `prompts`"),
        ({"prompt": PROMPT}, "give a budget"),
        ({"prompt": PROMPT, "budget": {"max_tokens": -1}}, "greater than 0"),
        ({"prompt": PROMPT, "budget": {"max_tokens": 1}}, "least budget"),
        ({"prompt": PROMPT, "budget": BUDGET, "generators": ["nope"]}, "nope"),
        ({"prompt": PROMPT, "arm": {"generator": "lab-small"}, "generators": ["lab-large"]}, "'lab-small', but 'lab-l"),
        ({"prompt": [{"role": "user"}], "budget": BUDGET}, "content"),
        ({"prompt": PROMPT, "budget": BUDGET, "surprise": 1}, "surprise"),
        ({"prompt": PROMPT, "total": BUDGET}, "total"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(client, body, words):
    answer = client.post(ROUTE, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": PROMPT, "budget": {"mean_usd": 1, "mean_tokens": 9}},
        {"prompt": PROMPT, "budget": {"max_usd": -1}},
    ],
)
def test_what_a_validator_says_is_told_in_its_own_words(client, body):
    found = client.post(ROUTE, json=body).json()
    assert "error," not in found["detail"] + found["errors"][0]["what"]


@pytest.mark.parametrize(
    "body", [b"{", b"[1,", b'{"prompt": "\\ud800", "budget": {"max_tokens": 9}}', b"\xff", b'{"prompt": NaN}']
)
def test_a_body_that_is_no_json_is_a_problem(client, body):
    answer = client.post(ROUTE, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("asked", [{"prompt": PROMPT}, {"prompts": ["Short?", PROMPT]}, {"prompts": [PROMPT] * 20}])
def test_a_prompt_that_is_too_long_is_refused(serve, asked):
    answer = serve(service_max_prompt_characters=20).post(ROUTE, json=asked | {"budget": BUDGET})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "PLANNER_SERVICE_MAX_PROMPT_CHARACTERS" in answer.json()["detail"]


def test_too_many_prompts_are_refused(serve):
    answer = serve(service_max_batch=2).post(ROUTE, json={"prompts": [PROMPT] * 3, "budget": BUDGET})
    assert answer.status_code == 413
