"""Endpoints at scripted servers, with time that passes at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hostile import Act, HostileServer, Seen, answering, chat_completion

from planner.core import Generate, Message
from planner.execution.openai import OpenAIEndpoint

KEY = "sk-very-secret-0123456789"


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(*acts: Act, **options: Any) -> AsyncIterator[tuple[OpenAIEndpoint, HostileServer]]:
    """An endpoint at a server that acts so."""
    time = options.pop("time", None) or FakeTime()
    options = {"api_key": KEY, "sleep": time.sleep, "clock": time.clock, "rng": random.Random(0), **options}
    async with HostileServer(acts) as server:
        endpoint = OpenAIEndpoint(server.url, **options)
        try:
            yield endpoint, server
        finally:
            await endpoint.aclose()


def question(text: str = "What is 1 + 1?", **request: Any) -> Generate:
    return Generate("m", (Message("user", text),), **request)


def plain(seen: Seen) -> tuple[int, Any]:
    """A server that does all: choices told apart by number and seed."""
    texts = [f"{place} {seen.body.get('seed')}" for place in range(seen.body.get("n", 1))]
    if seen.path == "/v1/completions":
        return 200, {"choices": [{"text": text, "finish_reason": "stop"} for text in texts]}
    return 200, chat_completion(*texts)


def refusing(*members: str, status: int = 400, words: str = "{name} is not supported", path: str = "chat") -> Act:
    """A server that refuses a request with any of these members."""

    def answer(seen: Seen) -> tuple[int, Any]:
        for name in members:
            if name in seen.body and path in seen.path:
                return status, {"error": {"message": words.format(name=name)}}
        return plain(seen)

    return answering(answer)
