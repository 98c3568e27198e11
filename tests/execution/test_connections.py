"""Connections that requests share, and proxies that the environment names."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from hostile import HostileServer, chat, reset
from serving import question

from planner.errors import EndpointUnavailable
from planner.execution.openai import OpenAIEndpoint
from planner.execution.openai.connection import Connection
from planner.execution.openai.lines import proxy_of


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


def test_a_connection_that_broke_is_opened_anew():
    async def run() -> list[int]:
        async with HostileServer([chat("1"), reset, chat("2")]) as server:
            line, url = Connection(None), f"{server.url}/chat/completions"
            statuses = []
            for _ in range(3):
                try:
                    response = await line.handle_async_request(httpx.Request("POST", url, json={}))
                    statuses.append(response.status_code)
                    await response.aread()
                except httpx.TransportError:
                    statuses.append(0)
            await line.aclose()
            return statuses

    assert asyncio.run(run()) == [200, 0, 200]


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


def test_a_server_that_is_not_there_cannot_be_reached():
    async def run() -> None:
        endpoint = OpenAIEndpoint("http://127.0.0.1:9", sleep=lambda _: asyncio.sleep(0))
        await endpoint.generate(question())

    with pytest.raises(EndpointUnavailable, match="cannot be reached"):
        asyncio.run(run())
