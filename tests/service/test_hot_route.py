"""The hot route answers as the documented one does, whatever it is sent."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from planner.config import Settings
from planner.service.app import create_app

PROMPT = "Start with 11. Multiply by 5. How many now?"
ROUTE = "/v1/recommendations"
BUDGET = {"max_generations": 4}
DRAWN = {"recommendation_id", "request_id"}
BODIES = [
    {"prompt": PROMPT, "budget": BUDGET},
    {"prompt": [{"role": "user", "content": PROMPT}], "budget": {"mean_tokens": 400}, "seed": 3},
    {"prompt": PROMPT, "budget": BUDGET, "probes": [{"answer": "55", "score": 0.9}], "prompt_id": "p", "dataset": "d"},
    {"prompt": PROMPT, "target_accuracy": 0.8, "generators": ["lab-small"]},
    {"prompts": [PROMPT, {"prompt": f"{PROMPT} 2", "prompt_id": "q"}], "budget": BUDGET},
    {"prompts": [f"{PROMPT} {i}" for i in range(20)], "total": {"max_generations": 60}},
    {"prompts": [PROMPT] * 60, "budget": BUDGET},
    {"prompt": "x" * 2000, "budget": BUDGET},
    {"prompt": PROMPT},
    {"prompt": PROMPT, "budget": {"max_tokens": 1}},
    {"prompt": PROMPT, "budget": {"max_tokens": "many"}},
    {"prompt": PROMPT, "budget": BUDGET, "generators": ["nope"]},
    {"prompt": PROMPT, "budget": BUDGET, "surprise": 1},
    {"prompt": None},
    [],
    "text",
    None,
]
RAW = [b"", b"{", b'{"prompt": NaN}', b"\xff", b'{"prompt": "\\ud800", "budget": {"max_tokens": 9}}']


@pytest.fixture
def both(home):
    """A client of the whole service, and one of the framework's application alone within it."""
    settings = Settings.load(service_max_batch=50, service_max_prompt_characters=1000)
    whole = create_app(settings)
    plain = whole.app.app
    with TestClient(whole, base_url="http://127.0.0.1", raise_server_exceptions=False) as hot:
        yield hot, TestClient(plain, base_url="http://127.0.0.1", raise_server_exceptions=False)


def said(answer) -> tuple[object, ...]:
    names = ("content-type", "retry-after", "allow")
    return answer.status_code, [answer.headers.get(name) for name in names], bare(answer.json())


def bare(value):
    if isinstance(value, dict):
        return {name: bare(one) for name, one in value.items() if name not in DRAWN}
    return [bare(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("content", [*(json.dumps(body).encode() for body in BODIES), *RAW])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_both_say_the_same(both, content, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    hot, plain = (client.post(ROUTE, content=content, headers=headers) for client in both)
    assert said(hot) == said(plain)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_the_frameworks(both, method):
    hot, plain = (client.request(method, ROUTE) for client in both)
    assert said(hot) == said(plain)


def test_both_are_counted_as_one_route(both):
    hot, _ = both
    hot.post(ROUTE, json=BODIES[0])
    hot.post(ROUTE, json={})
    page = hot.get("/metrics").text
    for status in (200, 422):
        assert f'planner_requests_total{{method="POST",route="{ROUTE}",status="{status}"}} 1.0' in page


@pytest.mark.parametrize("path", ["/v1/recommendations", "/v1/chat/completions", "/v1/fits"])
@pytest.mark.parametrize(
    ("body", "told"),
    [(b'{"prompt": NaN}', "line 1 column 12"), (b'{"prompt": "\\ud83d"}', "hex escape"), (b"\xff", "line 1 column 1")],
)
def test_what_is_no_json_is_told_with_its_place(client, path, body, told):
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    said = answer.json().get("detail") or answer.json()["error"]["message"]
    assert said.startswith("the body is no JSON that can be taken: ")
    assert told in said
