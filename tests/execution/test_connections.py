"""Connections that requests share, and proxies that the environment names."""

from __future__ import annotations

import asyncio
import gc

import aiohttp
import pytest
from hostile import HostileServer, chat, reset
from serving import question

from planner.errors import EndpointUnavailable, InvalidInput
from planner.execution.openai import OpenAIEndpoint
from planner.execution.openai.lines import Lines, proxy_of


async def peers(endpoint: OpenAIEndpoint, server: HostileServer, n: int) -> int:
    """How many connections the server has open after so many requests one after the other."""
    for _ in range(n):
        await endpoint.generate(question())
    return len(server._tasks)


def test_requests_one_after_the_other_share_a_connection():
    async def run() -> int:
        async with HostileServer([chat("2")]) as server:
            endpoint = OpenAIEndpoint(server.url)
            try:
                return await peers(endpoint, server, 5)
            finally:
                await endpoint.aclose()

    assert asyncio.run(run()) == 1


async def statuses(lines: Lines, url: str, n: int) -> list[int]:
    """Of so many exchanges one after the other; 0 where one broke."""
    found = []
    for _ in range(n):
        try:
            async with lines.exchange("POST", url, headers={}, content=b"{}") as reply:
                found.append(reply.status)
                assert [piece async for piece in reply.pieces]
        except aiohttp.ClientError:
            found.append(0)
    return found


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew():
    async def run() -> list[int]:
        async with HostileServer([chat("1"), reset, chat("2")]) as server:
            lines = Lines(server.origin)
            try:
                return await statuses(lines, server.url, 3)
            finally:
                await lines.aclose()

    assert asyncio.run(run()) == [200, 200, 200]


def test_a_server_that_breaks_every_connection_is_asked_twice_at_most():
    async def run() -> tuple[list[int], int]:
        async with HostileServer([chat("1"), reset]) as server:
            lines = Lines(server.origin)
            try:
                return await statuses(lines, server.url, 2), len(server.seen)
            finally:
                await lines.aclose()

    assert asyncio.run(run()) == ([200, 0], 3)


def test_a_first_connection_that_breaks_is_an_error():
    async def run() -> list[int]:
        async with HostileServer([reset, chat("1")]) as server:
            lines = Lines(server.origin)
            try:
                return await statuses(lines, server.url, 2)
            finally:
                await lines.aclose()

    assert asyncio.run(run()) == [0, 200]


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("http://far.example/v1", {"http_proxy": "http://proxy:3128"}, "http://proxy:3128"),
        ("https://far.example/v1", {"all_proxy": "proxy:3128"}, "http://proxy:3128"),
        ("http://far.example/v1", {"https_proxy": "http://proxy:3128"}, None),
        ("http://127.0.0.1:8000/v1", {"http_proxy": "http://proxy:3128", "no_proxy": "127.0.0.1"}, None),
    ],
)
def test_a_proxy_is_taken_from_the_environment(monkeypatch, url, environment, proxy):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy


def test_requests_go_by_the_proxy(monkeypatch):
    async def run() -> str:
        async with HostileServer([chat("2")]) as proxy:
            monkeypatch.setenv("http_proxy", proxy.origin)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            endpoint = OpenAIEndpoint("http://far.example/v1")
            try:
                await endpoint.generate(question())
            finally:
                await endpoint.aclose()
            return proxy.seen[0].path

    assert asyncio.run(run()) == "http://far.example/v1/chat/completions"


def test_a_proxy_that_does_not_speak_http_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://me:hush@proxy:1080")
    with pytest.raises(InvalidInput, match="'socks5'") as caught:
        proxy_of("https://far.example/v1")
    assert "hush" not in str(caught.value)


def test_a_large_request_arrives_whole():
    async def run() -> int:
        async with HostileServer([chat("2")]) as server:
            endpoint = OpenAIEndpoint(server.url)
            try:
                await endpoint.generate(question("x" * 3 * 2**20))
            finally:
                await endpoint.aclose()
            return len(server.seen[0].body["messages"][0]["content"])

    assert asyncio.run(run()) == 3 * 2**20


def test_connections_that_outlive_their_loop_are_let_go_without_complaint(caplog):
    async def run(lines: Lines) -> None:
        async with (
            HostileServer([chat("2")]) as server,
            lines.exchange("POST", server.url, headers={}, content=b"{}") as reply,
        ):
            assert [piece async for piece in reply.pieces]

    lines = Lines("http://127.0.0.1")
    asyncio.run(run(lines))
    asyncio.run(run(lines))
    del lines
    gc.collect()
    assert not caplog.records


def test_a_server_that_is_not_there_cannot_be_reached():
    async def run() -> None:
        endpoint = OpenAIEndpoint("http://127.0.0.1:9", sleep=lambda _: asyncio.sleep(0))
        await endpoint.generate(question())

    with pytest.raises(EndpointUnavailable, match="cannot be reached"):
        asyncio.run(run())
