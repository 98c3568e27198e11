"""Who may do what, and how much of it."""

from __future__ import annotations

import logging

import pytest

from planner.config import Settings
from planner.errors import InvalidInput
from planner.service.security import Role, Tokens, check_host, needed

PROMPT = "Start with 11. Multiply by 5. How many now?"
ASK = {"prompt": PROMPT, "budget": {"max_generations": 4}}
TOKENS = {"service_token": "boss,chief", "service_log_token": "clerk", "service_read_token": "guest"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_token_any_authorization_is_ignored(client):
    assert client.get("/v1/policies", headers=bearer("whatever")).status_code == 200


def test_with_a_token_set_a_request_without_one_is_401(serve):
    answer = serve(**TOKENS).get("/v1/policies")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("token", "allowed"),
    [("guest", {"read"}), ("clerk", {"read", "log"}), ("chief", {"read", "log", "admin"}), ("x", set())],
)
def test_each_role_may_do_what_the_ones_before_it_may(serve, token, allowed):
    client = serve(**TOKENS)
    did = {
        "read": client.post("/v1/recommendations", json=ASK, headers=bearer(token)),
        "log": client.post("/v1/runs/none/grade", json={"correct": 1}, headers=bearer(token)),
        "admin": client.post("/v1/policies/none/promote", headers=bearer(token)),
    }
    assert {name for name, answer in did.items() if answer.status_code not in {401, 403}} == allowed


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_page_and_health_need_no_token_and_can_be_asked_for_their_heads(serve, path):
    client = serve(**TOKENS)
    asked, head = client.get(path), client.head(path)
    assert asked.status_code == head.status_code == 200
    assert head.headers["content-type"] == asked.headers["content-type"]


def test_figures_need_a_token(serve):
    assert serve(**TOKENS).get("/metrics").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/runs/x"), ("PUT", "/"), ("POST", "/v1/fits"), ("POST", "/new")]
)
def test_what_no_rule_names_takes_an_administrator(method, path):
    assert needed(method, path) is Role.ADMIN


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_other_machines_are_not_served_without_a_token(host):
    with pytest.raises(InvalidInput, match="PLANNER_SERVICE_TOKEN"):
        check_host(host, Tokens.of(Settings()))
    check_host(host, Tokens.of(Settings(service_token="x")))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_is_served_without_a_token(host):
    check_host(host, Tokens.of(Settings()))


def test_a_foreign_name_of_this_machine_is_refused_without_a_token(client):
    assert client.get("/v1/policies", headers={"Host": "evil.example"}).status_code == 421


def test_a_page_of_another_origin_may_not_write(client):
    answer = client.post("/v1/recommendations", json=ASK, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_a_body_over_the_limit_is_413(serve):
    client = serve(service_max_body_bytes=100)
    assert client.post("/v1/recommendations", json=ASK | {"prompt": "x" * 200}).status_code == 413


def test_a_body_without_a_length_is_limited_as_it_comes(serve):
    client = serve(service_max_body_bytes=100)
    parts = (b"x" * 60 for _ in range(3))
    answer = client.post("/v1/recommendations", content=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_every_answer_bears_an_id_and_the_security_headers(client):
    answer = client.get("/healthz", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_id_that_could_break_a_log_is_replaced(client):
    assert client.get("/healthz", headers={"X-Request-Id": "a b\t"}).headers["x-request-id"] != "a b\t"


def test_the_access_log_holds_no_query_and_no_prompt(client, caplog):
    logging.getLogger("planner").propagate = True
    with caplog.at_level(logging.INFO, "planner.service.access"):
        client.post("/v1/recommendations", json=ASK)
        client.get("/v1/curves", params={"generator": "secret-question"})
    text = caplog.text
    assert "POST /v1/recommendations 200" in text
    assert "secret-question" not in text
    assert "Multiply" not in text


def test_figures_count_requests_and_recommendations(client):
    client.post("/v1/recommendations", json=ASK)
    page = client.get("/metrics").text
    assert 'planner_requests_total{method="POST",route="/v1/recommendations",status="200"} 1.0' in page
    assert 'planner_recommendations_total{declined="false"} 1.0' in page
