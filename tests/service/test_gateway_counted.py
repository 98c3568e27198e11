"""What is passed through is counted, also where its server says nothing of tokens."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
import pytest
from execution.hostile import Seen, chat, chat_completion, raw
from gateway_world import ASKED, QUESTION, RIGHT, TOOLS, logged

from planner.execution.openai.tokens import TokenEstimate
from planner.service.gateway.body import ChatBody
from planner.service.gateway.counted import Beside, counted
from planner.service.gateway.request import read_request
from tests.in_thread import wait_until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
PIECES = ("11 * 5 ", "= 55\n", "Answer: 55")
CALL = [{"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "all of it"}'}}]
PROMPT_TOKENS = -(-len(QUESTION) // 4) + 4


def event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def stream(*, whole: bool = True) -> bytes:
    end = event({}, "stop") + b"data: [DONE]\n\n" if whole else b""
    return HEAD + b"".join(event({"content": piece}) for piece in PIECES) + end


async def endless(_: Seen, writer: asyncio.StreamWriter) -> None:
    """A stream that says no more after some text."""
    writer.write(stream(whole=False))
    await writer.drain()
    await asyncio.sleep(3600)


def spent(page: str) -> dict[str, float]:
    lines = [line for line in page.splitlines() if line.startswith("planner_tokens_total")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (chat("".join(PIECES)), "ok"),
        (raw(stream(), close=True), "ok"),
        (raw(stream(whole=False).replace(b"Connection: close", b"Content-Length: 9999"), close=True), "error"),
    ],
)
def test_what_the_server_does_not_count_is_estimated_from_the_text(live, scripted, act, status):
    url = live(endpoint_url=scripted(act).url)
    body = {"model": "lab-small", "messages": ASKED, "stream": True}
    httpx.post(f"{url}/v1/chat/completions", json=body)
    wait_until(logged)
    (run,) = logged()
    written = -(-len("".join(PIECES)) // 4)
    assert (run.status, run.prompt_tokens, run.completion_tokens) == (status, PROMPT_TOKENS, written)
    assert [sample.completion_tokens for sample in run.samples] == [written] * (status == "ok")
    assert spent(httpx.get(f"{url}/metrics").text) == {"prompt": PROMPT_TOKENS, "completion": written}


def test_several_samples_of_one_request_share_what_was_written(live, scripted):
    """Without counts of their own they told a fit nothing of what such a sample costs."""
    act = chat("Answer: 55", "20 + 35 = 55\nAnswer: 55", usage={"prompt_tokens": 15, "completion_tokens": 34})
    url = live(endpoint_url=scripted(act).url)
    httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": ASKED, "n": 2})
    wait_until(logged)
    (run,) = logged()
    assert [(one.prompt_tokens, one.completion_tokens) for one in run.samples] == [(15, 10), (15, 24)]
    assert run.completion_tokens == 34


def test_a_prompt_without_a_text_is_counted_and_names_no_run(live, scripted):
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    url = live(endpoint_url=scripted(RIGHT).url)
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "lab-small", "messages": picture})
    assert answer.status_code == 200
    assert "x-planner-run-id" not in answer.headers
    assert 'planner_tokens_total{kind="completion"} 13.0' in httpx.get(f"{url}/metrics").text


def test_a_stream_that_its_client_leaves_is_counted_as_far_as_it_came(live, scripted):
    url = live(endpoint_url=scripted(endless).url)
    place = httpx.URL(url)
    content = json.dumps({"model": "lab-small", "messages": ASKED, "stream": True}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection((place.host, place.port), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        had = b""
        while b"Answer: 55" not in had:
            had += connection.recv(65536)
    wait_until(logged)
    assert logged()[0].completion_tokens == -(-len("".join(PIECES)) // 4)


def ask(**members: object):
    body = {"model": "small", "messages": ASKED} | members
    return read_request(ChatBody(**body), body, None, {"small"})


def test_what_the_server_does_count_holds_and_sharpens_the_estimate():
    estimate = TokenEstimate()
    told = chat_completion("a" * 4000, usage={"prompt_tokens": 12, "completion_tokens": 2000})
    counts = counted(told, 0, ask(), 1, estimate)
    assert (counts.prompt, counts.completion) == (12, 2000)
    guessed = counted(chat_completion("a" * 400), 0, ask(), 1, estimate).completion
    assert 180 <= guessed <= 220
    partly = counted(chat_completion("abcd", usage={"prompt_tokens": 12}), 0, ask(), 1, TokenEstimate())
    assert (partly.prompt, partly.completion) == (12, 2)


def test_hidden_reasoning_and_what_is_no_text_teach_nothing():
    estimate = TokenEstimate()
    usage = {
        "prompt_tokens": 900,
        "completion_tokens": 5000,
        "completion_tokens_details": {"reasoning_tokens": 4990},
    }
    counted(chat_completion("Answer: 55", usage=usage), 0, ask(tools=TOOLS), 1, estimate)
    assert estimate == TokenEstimate()


def test_where_nothing_came_what_is_not_said_is_unknown():
    for data in (None, {"error": "no"}, {"choices": []}, []):
        counts = counted(data, 0, ask(), 1, TokenEstimate())
        assert (counts.prompt, counts.completion) == (None, None)


def test_tools_are_read_and_their_calls_and_reasoning_are_written():
    plain = counted(chat_completion(None), 0, ask(), 1, TokenEstimate())
    with_tools = counted(chat_completion(None), 400, ask(tools=TOOLS), 1, TokenEstimate())
    assert with_tools.prompt > plain.prompt + 10
    assert with_tools.completion == 100

    size = len("look" + CALL[0]["function"]["arguments"])
    beside = Beside()
    beside.add({"choices": [{"message": {"content": None, "tool_calls": CALL, "reasoning": "so"}}]})
    assert beside.size == size + 2
    beside = Beside()
    pieces = event({"tool_calls": CALL}) + event({"content": "text"}) + event({"reasoning_content": "so"})
    for start in range(0, len(pieces), 7):
        beside.feed(pieces[start : start + 7])
    assert beside.size == size + 2


@pytest.mark.parametrize("data", [b'data: {"tool_calls"', b'data: ["tool_calls"]', b'data: {"choices": ["reasoning"]}'])
def test_events_that_cannot_be_read_are_passed_over(data):
    beside = Beside()
    beside.feed(data + b"\n")
    assert beside.size == 0
    beside.add("text")
