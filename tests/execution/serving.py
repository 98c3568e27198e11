"""Endpoints at scripted servers, with time that passes at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hostile import Act, HostileServer

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
