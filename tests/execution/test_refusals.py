"""Refusals that no other way of asking would change: known by the server's words, and told at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hostile import Act, reply
from serving import question, refusing, serving

from planner.errors import EndpointRejected, RequestRefused
from planner.execution.openai.answer import Answer
from planner.execution.openai.refusals import refused_for

TOO_LONG = {
    "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}


def refused(body: Any, status: int = 400) -> str | None:
    return refused_for(Answer.of(status, json.dumps(body).encode()))


def ask(*acts: Act) -> tuple[EndpointRejected, int]:
    """The error of an endpoint whose server acts so, and how often that was asked."""

    async def run() -> tuple[EndpointRejected, int]:
        async with serving(*acts) as (endpoint, server):
            with pytest.raises(EndpointRejected) as caught:
                await endpoint.generate(question(seed=3, max_tokens=50, stop=("x",)))
            return caught.value, len(server.seen)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [
        {"error": TOO_LONG},
        {"error": {"message": "too much", "code": "string_above_max_length"}},
        {
            "object": "error",
            "message": "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        },
        {"error": {"message": "max_tokens is too large: 100000. This model supports at most 16384", "code": None}},
        {
            "object": "error",
            "message": "The input (5000 tokens) is longer than the model's context length",
            "code": 400,
        },
        {"error": {"code": 400, "message": "the request exceeds it", "type": "exceed_context_size_error"}},
        {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"},
        {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}},
        {"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed"}},
        {"detail": "too many tokens: total number of tokens in the prompt cannot exceed 4081"},
    ],
)
def test_a_prompt_that_is_too_long_is_known_however_a_server_says_it(body):
    assert refused(body) == "context_length_exceeded"


@pytest.mark.parametrize("name", ["content_filter", "content_policy_violation", "invalid_prompt"])
def test_a_prompt_against_the_servers_rules_is_known_by_its_code(name):
    assert refused({"error": {"message": "no", "code": name}}) == "content_filter"


def test_a_body_that_is_too_large_is_known_by_its_status():
    assert refused({"error": {"message": "no"}}, 413) == "request_too_large"
    assert refused_for(Answer.of(413, b"<html>")) == "request_too_large"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "what is this"}}, 400),
        ({"error": {"message": "stop is not supported"}}, 400),
        ({"error": TOO_LONG}, 500),
        ({"error": TOO_LONG}, 429),
        ({"detail": [{"loc": ["body", "n"], "input": "a prompt about context length", "msg": "no"}]}, 422),
        ([], 400),
    ],
)
def test_what_may_be_asked_otherwise_or_again_is_none_of_them(body, status):
    assert refused(body, status) is None


def test_no_other_way_is_tried_for_a_prompt_that_is_too_long():
    error, n_asked = ask(reply({"error": TOO_LONG}, status=400))
    assert isinstance(error, RequestRefused)
    assert (error.code, n_asked) == ("context_length_exceeded", 1)
    assert "your messages resulted in 9001 tokens" in str(error)
    assert "shorten the prompt" in str(error)


def test_it_is_told_also_where_another_way_was_looked_for_before():
    error, n_asked = ask(refusing("stop"), reply({"error": TOO_LONG}, status=400))
    assert (type(error), n_asked) == (RequestRefused, 2)


def test_a_refusal_of_the_messages_is_one_once_no_other_way_is_left():
    error, n_asked = ask(reply({"error": {"message": "no role 'boss'", "param": "messages[0].role"}}, status=400))
    assert (type(error), error.code) == (RequestRefused, "invalid_value")
    assert n_asked > 1


def test_a_refusal_without_a_reason_is_the_servers():
    error, _ = ask(reply({"error": {"message": "what is this"}}, status=400))
    assert type(error) is EndpointRejected
