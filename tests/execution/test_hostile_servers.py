"""Whatever a server does, completions come back or an error that says what to do, and never the key."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from pathlib import Path

import pytest
from hostile import (
    Act,
    HostileServer,
    answering,
    body,
    chat,
    chat_completion,
    delayed,
    error,
    flood,
    raw,
    reply,
    reset,
    self_signed,
    silence,
    slow,
)
from serving import KEY, FakeTime, question, serving

from planner.core import Completion
from planner.errors import EndpointError, EndpointRejected, EndpointTimeout, EndpointUnavailable
from planner.execution.openai import OpenAIEndpoint

HALF_A_CHUNK = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cho'
GOOD = json.dumps(chat_completion("2")).encode()


def ask(*acts: Act, n: int = 1, **options: object) -> tuple[Completion, ...]:
    async def run() -> tuple[Completion, ...]:
        async with serving(*acts, **options) as (endpoint, _):
            return await endpoint.generate(question(n=n))

    return asyncio.run(run())


def texts(completions: tuple[Completion, ...]) -> list[str]:
    return [completion.text for completion in completions]


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (body(b"{'choices': "), EndpointRejected, "no JSON"),
        (body(b""), EndpointRejected, "no JSON"),
        (body(b"[1, 2]"), EndpointRejected, "no JSON"),
        (body(b"[" * 100_000), EndpointRejected, "no JSON"),
        (body(b"\xff\xfe\x00"), EndpointRejected, "no JSON"),
        (body(b"<html>hello</html>", kind="text/html"), EndpointRejected, "text/html"),
        (body(GOOD, length=len(GOOD) + 50), EndpointUnavailable, "broke off"),
        (raw(HALF_A_CHUNK, close=True), EndpointUnavailable, "broke off"),
        (raw(b"SSH-2.0-OpenSSH_9\r\n", close=True), EndpointUnavailable, "broke off"),
        (raw(b"", close=True), EndpointUnavailable, "broke off"),
        (reset, EndpointUnavailable, "broke off"),
        (error(503, "overloaded"), EndpointUnavailable, "answered 503"),
        (error(429, "slow down"), EndpointUnavailable, "PLANNER_MAX_CONCURRENCY"),
        (error(429, "slow down", Retry_After="7200"), EndpointUnavailable, "wait 7200 seconds"),
        (error(429, "insufficient_quota"), EndpointRejected, "insufficient_quota"),
        (error(401, "who are you"), EndpointRejected, "PLANNER_API_KEY"),
        (error(404, "The model `m` does not exist"), EndpointRejected, "model 'm'"),
        (error(400, "this prompt is not allowed"), EndpointRejected, "this prompt is not allowed"),
        (reply({"error": {"message": "upstream is down", "code": 503}}), EndpointUnavailable, "upstream is down"),
        (reply({"choices": []}), EndpointRejected, "without a single choice"),
        (reply({"choices": None}), EndpointRejected, "without a single choice"),
        (reply({"choices": ["a", 1]}), EndpointRejected, "without a single choice"),
        (reply({"no": "choices"}), EndpointRejected, "without a single choice"),
        (body(b"", status=307, Location="https://elsewhere.example/v1?key=1"), EndpointRejected, "redirects to https://elsewhere.example/v1;"),
        (body(b"", status=302), EndpointRejected, "redirects"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_ends_in_an_error_that_says_so(act: Act, kind: type[EndpointError], words: str):
    with pytest.raises(kind, match=words) as caught:
        ask(act)
    assert type(caught.value) is kind
    assert "http://127.0.0.1:" in str(caught.value)


def test_an_answer_of_ten_megabytes_is_not_read_to_its_end():
    with pytest.raises(EndpointRejected, match="more than 8388608 bytes"):
        ask(flood(10 * 1024 * 1024))


def test_an_answer_that_unpacks_to_ten_megabytes_is_refused():
    import gzip

    packed = gzip.compress(b'"' + b"a" * (10 * 1024 * 1024) + b'"')
    with pytest.raises(EndpointRejected, match="more than 8388608 bytes"):
        ask(body(packed, Content_Encoding="gzip"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_body_that_is_not_packed_as_it_says_is_an_error_at_once(encoding):
    time = FakeTime()
    with pytest.raises(EndpointError, match="cannot be read: its content is encoded in a way"):
        ask(body(b"nothing packed", Content_Encoding=encoding), time=time)
    assert not time.slept


def test_what_comes_after_the_body_is_not_told_as_an_error():
    long = json.dumps(chat_completion("a very secret answer")).encode()
    act = raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n" + long, close=True)
    with pytest.raises(EndpointError) as caught:
        ask(act)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_come_one_by_one_are_waited_for():
    assert texts(ask(slow(GOOD, seconds_a_byte=0.0005))) == ["2"]


def test_slow_bytes_do_not_outlast_the_time_limit():
    with pytest.raises(EndpointTimeout, match=r"within 0\.2 seconds"):
        ask(slow(GOOD, seconds_a_byte=0.05), timeout_seconds=0.2)


def test_silence_ends_with_the_time_limit_after_a_second_try():
    time = FakeTime()
    with pytest.raises(EndpointTimeout, match="PLANNER_REQUEST_TIMEOUT_SECONDS"):
        ask(silence, timeout_seconds=0.1, time=time)
    assert len(time.slept) == 1


@pytest.mark.parametrize("fault", [error(503), error(500), error(429), reset, raw(b"", close=True)])
def test_a_fault_that_passes_is_tried_again(fault: Act):
    assert texts(ask(fault, fault, chat("2"))) == ["2"]


def test_a_storm_of_429_is_sat_out_as_long_as_the_server_asks():
    time = FakeTime()
    assert texts(ask(*[error(429, Retry_After="3")] * 4, chat("2"), time=time)) == ["2"]
    assert 12.0 <= time.now < 20.0


def test_other_requests_wait_out_a_server_that_asked_one_to():
    time = FakeTime()

    async def run() -> None:
        async with serving(error(429, Retry_After="30"), chat("2"), time=time, max_concurrency=1) as (endpoint, _):
            await endpoint.generate(question())
            assert time.now >= 30.0
            await endpoint.generate(question())

    asyncio.run(run())


def test_waits_grow_and_end_after_six_tries():
    time = FakeTime()

    async def run() -> int:
        async with serving(error(503), time=time) as (endpoint, server):
            with pytest.raises(EndpointUnavailable):
                await endpoint.generate(question())
            return len(server.seen)

    assert asyncio.run(run()) == 6
    assert len(time.slept) == 5
    assert all(slept <= 0.5 * 2**place for place, slept in enumerate(time.slept))


def test_a_server_that_asks_for_patience_is_asked_ten_times():
    async def run() -> int:
        async with serving(error(429)) as (endpoint, server):
            with pytest.raises(EndpointUnavailable):
                await endpoint.generate(question())
            return len(server.seen)

    assert asyncio.run(run()) == 10


def test_no_more_requests_run_side_by_side_than_allowed():
    async def run() -> int:
        async with serving(delayed(0.15, chat("2")), max_concurrency=3) as (endpoint, server):
            await asyncio.gather(*(endpoint.generate(question()) for _ in range(9)))
            return server.most_at_once

    assert asyncio.run(run()) == 3


def test_a_certificate_that_nobody_vouches_for_is_an_error_about_tls(tmp_path: Path):
    async def run() -> None:
        async with HostileServer([chat("2")], tls=self_signed(tmp_path)) as server:
            endpoint = OpenAIEndpoint(server.url, api_key=KEY)
            with pytest.raises(EndpointRejected, match=r"TLS .* SSL_CERT_FILE"):
                await endpoint.generate(question())
            await endpoint.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_a_route_for_models_lists_none(status):
    async def run() -> int:
        async with serving(error(status)) as (endpoint, _):
            return len(await endpoint.models())

    assert asyncio.run(run()) == 0


def test_a_server_that_is_not_there_is_named():
    async def run() -> None:
        endpoint = OpenAIEndpoint("http://127.0.0.1:9", sleep=FakeTime().sleep)
        with pytest.raises(EndpointUnavailable, match=r"http://127.0.0.1:9/v1 cannot be reached"):
            await endpoint.generate(question())
        await endpoint.aclose()

    asyncio.run(run())


def test_the_key_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    password, query = "pass%20word", "api-version=1&code=hush"

    def tell(seen: object) -> tuple[int, object]:
        return 401, {"error": {"message": f"x{'y' * 170} wrong {seen.headers['authorization']} at {seen.path}"}}  # type: ignore[attr-defined]

    async def run() -> tuple[str, str]:
        async with HostileServer([answering(tell)]) as server:
            url = server.url.replace("127.0.0.1", f"me:{password}@127.0.0.1") + "?" + query
            endpoint = OpenAIEndpoint(url, api_key=KEY)
            with pytest.raises(EndpointRejected) as caught:
                await endpoint.generate(question())
            await endpoint.aclose()
            assert server.seen[0].path == f"/v1/chat/completions?{query}"
            return "".join(traceback.format_exception(caught.value)), repr(endpoint) + endpoint.name

    shown, names = asyncio.run(run())
    assert "answered 401" in shown
    for secret in (KEY, KEY[:12], "pass word", password, "hush"):
        assert secret not in shown + names + caplog.text


def test_half_a_key_is_not_left_where_the_body_is_cut():
    padding = "y" * 190
    act = answering(lambda seen: (400, f"{padding} {seen.headers['authorization']}"))
    with pytest.raises(EndpointRejected) as caught:
        ask(act)
    assert "sk-v" not in str(caught.value)


def test_no_redirect_takes_the_key_along():
    async def run() -> int:
        async with HostileServer([chat("2")]) as other:
            async with serving(body(b"", status=308, Location=other.url)) as (endpoint, _):
                with pytest.raises(EndpointRejected, match="give that URL"):
                    await endpoint.generate(question())
            return len(other.seen)

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 302 X\r\nLocation: /caf\xe9\r\n", b"HTTP/1.1 200 X\r\nContent-Type: text/caf\xe9\r\n"]
)
def test_a_header_that_is_no_utf8_is_told_in_words_that_can_be_kept(head):
    with pytest.raises(EndpointRejected, match="caf\N{REPLACEMENT CHARACTER}"):
        ask(raw(head + b"Content-Length: 0\r\n\r\n"))


def test_what_came_before_the_server_failed_is_kept():
    async def run() -> tuple[Completion, ...]:
        async with serving(chat("2", "3"), error(401)) as (endpoint, _):
            return await endpoint.generate(question(n=4))

    assert texts(asyncio.run(run())) == ["2", "3"]


def test_one_endpoint_serves_one_event_loop_after_another():
    async def serve() -> None:
        async with HostileServer([chat("2")]) as server:
            endpoint._wire.address = type(endpoint._wire.address).of(server.url)
            await endpoint.generate(question())
            await endpoint.aclose()

    endpoint = OpenAIEndpoint("http://127.0.0.1:9")
    asyncio.run(serve())
    asyncio.run(serve())


def test_a_cancelled_request_gives_its_slot_back():
    async def run() -> list[str]:
        async with serving(silence, chat("2"), max_concurrency=1) as (endpoint, server):
            asked = asyncio.create_task(endpoint.generate(question()))
            await asyncio.wait_for(server.arrived.wait(), 30)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            return texts(await endpoint.generate(question()))

    assert asyncio.run(run()) == ["2"]
