"""What is passed through untouched, and the modes."""

from __future__ import annotations

import json

import httpx
import openai
import pytest
from execution.hostile import body as page_of
from execution.hostile import chat, error, raw, reply, reset, slow
from gateway_world import ASKED, QUESTION, RIGHT, TOOLS, USAGE, logged

from planner import Planner
from tests.in_thread import wait_until

IMAGE = [
    {
        "role": "user",
        "content": [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": "data:,"}}],
    }
]
EVENTS = (
    b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Answer: "}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "55"}, "finish_reason": "stop"}]}\n\n',
    b'data: {"choices": [], "usage": %s}\n\n' % json.dumps(USAGE).encode(),
    b"data: [DONE]\n\n",
)
MOVED = b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
STREAMED = raw(HEAD + b"".join(EVENTS), close=True)
CALLED, REFUSED = (
    raw(HEAD + b'data: {"choices": [{"index": 0, "delta": %s, "finish_reason": "%s"}]}\n\n' % said, close=True)
    for said in (
        (b'{"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": "{}"}}]}', b"tool_calls"),
        (b'{"content": null, "refusal": "No."}', b"stop"),
    )
)
BROKEN = raw(HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked") + b"5a\r\n" + EVENTS[0], close=True)


@pytest.mark.parametrize(
    "members",
    [
        {"tools": TOOLS, "tool_choice": "required"},
        {"response_format": {"type": "json_object"}, "top_p": 0.5},
        {"messages": [*ASKED, {"role": "assistant", "content": None, "tool_calls": []}]},
        {"messages": [{"role": "user", "name": "me", "content": QUESTION}]},
        {"messages": IMAGE},
    ],
)
def test_what_cannot_be_planned_reaches_the_endpoint_as_it_is(live, scripted, members):
    server = scripted(RIGHT)
    body = {"model": "auto-lab-large", "messages": ASKED, "planner": {"max_usd": 1}, "made_up": [1, None]} | members
    answer = httpx.post(f"{live(endpoint_url=server.url)}/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"].endswith("55")
    body.pop("planner")
    assert server.seen[-1].body == body | {"model": "lab-large"}


def test_a_head_that_comes_byte_by_byte_is_waited_for_no_longer_than_an_answer(live, scripted):
    server = scripted(slow(b"{}", seconds_a_byte=0.05, slow_head=True))
    url = live(endpoint_url=server.url, request_timeout_seconds=0.5)
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED})
    assert "did not answer within 0.5 seconds" in answer.text
    assert answer.elapsed.total_seconds() < 2


def test_a_proxy_that_cannot_be_used_is_no_fault_of_the_request(live, scripted, monkeypatch):
    url = live(endpoint_url="http://far.example/v1")
    monkeypatch.setenv("http_proxy", "socks5://proxy:1080")
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED}, trust_env=False)
    assert answer.status_code == 409
    assert "socks5" in answer.text


def test_a_named_model_is_asked_once_and_logged_as_a_sample_of_it(live, scripted):
    server = scripted(RIGHT)
    body = {"model": "lab-small", "messages": ASKED, "temperature": 0.3}
    answer = httpx.post(f"{live(endpoint_url=server.url)}/v1/chat/completions", json=body)
    wait_until(logged)
    (run,) = logged()
    assert (run.run_id, run.generator, run.search, run.answer) == (
        answer.headers["x-planner-run-id"],
        "lab-small",
        "sampling",
        "55",
    )
    assert (run.prompt_tokens, run.completion_tokens, run.params) == (15, 13, {"temperature": 0.3})
    assert run.recommendation_id is None


@pytest.mark.parametrize(
    ("act", "members", "grades"),
    [
        (RIGHT, {}, [1.0]),
        (STREAMED, {"stream": True}, [1.0]),
        (chat("Answer: 55", "Answer: 7", "no idea"), {"n": 3}, [1.0, 0.0, 0.0]),
        (RIGHT, {"model": "auto", "tools": TOOLS}, [1.0]),
        (chat(None, finish_reason="tool_calls"), {"tools": TOOLS}, [None]),
        (chat("", "I look.", finish_reason="tool_calls"), {"tools": TOOLS, "n": 2}, [None, None]),
        (CALLED, {"tools": TOOLS, "stream": True}, [None]),
        (REFUSED, {"stream": True}, [None]),
    ],
)
def test_samples_are_graded_where_the_right_answer_is_told(live, scripted, act, members, grades):
    body = {"model": "lab-small", "messages": ASKED, "planner": {"reference": "55.0"}} | members
    assert httpx.post(f"{live(endpoint_url=scripted(act).url)}/v1/chat/completions", json=body).status_code == 200
    wait_until(logged)
    (run,) = logged()
    assert [sample.correct for sample in run.samples] == grades
    assert run.correct == (grades[0] if len(grades) == 1 else None)


def test_what_is_observed_is_graded_as_what_is_planned(live, scripted):
    url = live(endpoint_url=scripted(RIGHT).url, service_mode="observe")
    body = {"model": "auto", "messages": ASKED, "metadata": {"reference": "54"}}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200
    wait_until(logged)
    assert [run.correct for run in logged()] == [0.0]


def test_an_answer_that_cannot_be_graded_is_passed_on_and_logged(live, scripted):
    datasets = {"odd": {"grade": "no_such_module:grade"}}
    url = live(endpoint_url=scripted(RIGHT).url, datasets=datasets)
    body = {"model": "lab-small", "messages": ASKED, "planner": {"reference": "55", "dataset": "odd"}}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200
    wait_until(logged)
    assert [(run.answer, run.correct, run.status) for run in logged()] == [("55", None, "ok")]


def test_a_model_that_only_the_endpoint_knows_can_be_named(ask, scripted):
    from execution.hostile import answering

    listed = {"data": [{"id": "other"}]}
    server = scripted(
        answering(lambda seen: (200, listed if seen.method == "GET" else {"choices": [], "model": "other"}))
    )
    assert ask(endpoint_url=server.url).chat.completions.create(model="other", messages=ASKED).model == "other"


def test_what_stands_among_the_choices_and_is_none_is_passed_on_and_not_logged(live, scripted):
    strange = {"choices": [None, {"message": {"content": "Answer: 5"}, "finish_reason": ["tool_calls"]}]}
    body = {"model": "lab-small", "messages": ASKED, "n": 2}
    answer = httpx.post(f"{live(endpoint_url=scripted(reply(strange)).url)}/v1/chat/completions", json=body)
    assert answer.json() == strange
    wait_until(logged)
    assert [(one.answer, one.status) for run in logged() for one in run.samples] == [("5", "ok")]


def test_settings_are_logged_as_far_as_a_store_can_keep_them(live, scripted):
    body = {"model": "lab-small", "messages": ASKED, "reasoning_effort": "hi\0gh"}
    httpx.post(f"{live(endpoint_url=scripted(RIGHT).url)}/v1/chat/completions", json=body)
    wait_until(logged)
    assert logged()[0].params == {"reasoning_effort": "high"}


@pytest.mark.parametrize("members", [{"tools": TOOLS}, {"response_format": {"type": "json_object"}}, {"stop": "x"}])
@pytest.mark.parametrize("model", ["auto-lab-small", "lab-small"])
def test_what_says_nothing_of_how_a_model_answers_such_prompts_is_no_sample_of_it(live, scripted, members, model):
    body = {"model": model, "messages": ASKED, "planner": {"arm": {"generator": "lab-small"}}, **members}
    httpx.post(f"{live(endpoint_url=scripted(RIGHT).url)}/v1/chat/completions", json=body)
    wait_until(logged)
    (run,) = logged()
    assert (run.search, len(run.samples)) == ("session", 1)


@pytest.mark.parametrize("model", ["auto-lab-small", "lab-small"])
def test_a_client_s_settings_tell_its_samples_from_others(live, scripted, model):
    member = {"arm": {"generator": "lab-small"}}
    body = {"model": model, "messages": ASKED, "temperature": 0.3, "max_completion_tokens": 40, "planner": member}
    httpx.post(f"{live(endpoint_url=scripted(RIGHT).url)}/v1/chat/completions", json=body)
    wait_until(logged)
    (run,) = logged()
    assert (run.search, run.params) == ("sampling", {"temperature": 0.3, "max_tokens": 40})


def test_a_limit_that_is_none_tells_nothing(live, scripted):
    body = {"model": "lab-small", "messages": ASKED, "max_tokens": -1}
    server = scripted(RIGHT)
    httpx.post(f"{live(endpoint_url=server.url)}/v1/chat/completions", json=body)
    wait_until(logged)
    assert (logged()[0].params, server.seen[-1].body["max_tokens"]) == ({}, -1)


def test_a_stream_is_passed_on_as_it_comes(live, scripted):
    body = {"model": "lab-small", "messages": ASKED, "stream": True}
    answer = httpx.post(f"{live(endpoint_url=scripted(STREAMED).url)}/v1/chat/completions", json=body)
    assert answer.content == b"".join(EVENTS)
    assert answer.headers["content-type"] == "text/event-stream"
    wait_until(logged)
    (run,) = logged()
    assert (run.answer, run.status, run.completion_tokens) == ("55", "ok", 13)


def test_a_stream_that_its_client_closes_at_its_last_event_is_an_answer_like_any(ask, scripted):
    """The official client waits for no more than `data: [DONE]`."""
    client = ask(endpoint_url=scripted(raw(HEAD + b"".join(EVENTS))).url)
    assert list(client.chat.completions.create(model="lab-small", messages=ASKED, stream=True))
    wait_until(logged)
    (run,) = logged()
    assert (run.answer, run.status, run.completion_tokens) == ("55", "ok", 13)


def test_a_stream_that_breaks_off_ends_with_an_error_of_the_clients_own_class(ask, scripted):
    stream = ask(endpoint_url=scripted(BROKEN).url).chat.completions.create(
        model="lab-small", messages=ASKED, stream=True
    )
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)
    wait_until(logged)
    assert logged()[0].status == "error"


@pytest.mark.parametrize(
    ("act", "status"), [(error(400, "no such thing"), 400), (error(429, "slow", Retry_After="7"), 429), (reset, 502)]
)
def test_what_the_endpoint_refuses_is_passed_on(live, scripted, act, status):
    url = live(endpoint_url=scripted(act).url)
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)


@pytest.mark.parametrize("status", [429, 503, 404])
def test_a_refusal_that_is_no_json_keeps_its_status_and_is_told_in_openais_form(live, scripted, status):
    page = b"<html>\n<b>too   many</b> sk-secret " + b"x" * 1000
    act = page_of(page, status=status, kind="text/html", Retry_After="7", X_Should_Retry="true")
    url = live(endpoint_url=scripted(act).url, api_key="sk-secret")
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("7", "true")
    message = answer.json()["error"]["message"]
    assert "<html> <b>too many</b> ***" in message
    assert len(message) < 500


@pytest.mark.parametrize("act", [error(401), error(403), error(429), error(500), raw(MOVED, close=True)])
def test_what_the_endpoint_did_not_take_is_not_logged(live, scripted, act):
    server = scripted(act, RIGHT)
    url = live(endpoint_url=server.url)
    for status in (False, True):
        answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED})
        assert answer.is_success == status
        assert ("x-planner-run-id" in answer.headers) == status
    wait_until(logged)
    assert [run.status for run in logged()] == ["ok"]
    assert 'planner_tokens_total{kind="completion"} 13.0' in httpx.get(f"{url}/metrics").text


def test_the_servers_key_is_sent_and_never_shown(live, scripted):
    server = scripted(error(401, "sk-secret is wrong"))
    url = live(endpoint_url=server.url, api_key="sk-secret")
    headers = {"Authorization": "Bearer of-the-client"}
    body = {"model": "lab-small", "messages": ASKED}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
    assert server.seen[-1].headers["authorization"] == "Bearer sk-secret"
    assert answer.status_code == 502
    assert "sk-secret" not in answer.text
    assert "PLANNER_API_KEY" in answer.text


def test_observing_recommends_and_serves_one_sample_of_the_reference(live, scripted):
    server = scripted(RIGHT)
    url = live(endpoint_url=server.url, service_mode="observe")
    body = {"model": "auto", "messages": ASKED, "n": 1, "temperature": 0, "planner": {"max_generations": 8}}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    with Planner.open() as planner:
        reference = planner.policy.predictor.reference_
    assert server.seen[-1].body == {"model": reference, "messages": ASKED, "n": 1, "temperature": 0}
    assert answer.headers["x-planner-mode"] == "observe"
    assert "planner" not in answer.json()
    wait_until(logged)
    assert len(server.seen) == 1
    plan = httpx.get(f"{url}/v1/recommendations/{answer.headers['x-planner-recommendation-id']}").json()
    assert plan["budget"]["max_generations"] == 8
    assert logged()[0].recommendation_id is None  # it did not carry the plan out


def test_observing_never_stands_in_the_way(live, scripted):
    url = live(endpoint_url=scripted(RIGHT).url, service_mode="observe")
    body = {"model": "auto", "messages": ASKED, "planner": {"max_tokens": 1}}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200


def test_bypassing_plans_nothing(live, scripted):
    server = scripted(RIGHT)
    url = live(endpoint_url=server.url, service_mode="bypass")
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "auto", "messages": ASKED, "n": 2})
    assert (answer.headers["x-planner-mode"], server.seen[-1].body["n"]) == ("bypass", 2)
    assert httpx.get(f"{url}/v1/recommendations").json()["outcomes"] == []
