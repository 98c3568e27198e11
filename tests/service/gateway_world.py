"""Servers on loopback, each in a thread: the service whole, and an endpoint that answers as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from execution.hostile import Act, HostileServer, Seen, chat

from planner import Planner
from planner.config import Settings
from planner.core import Run
from planner.service.app import create_app
from planner.service.protocol import Protocol
from tests.in_thread import PATIENCE_SECONDS, beside, served

QUESTION = "Start with 11. Multiply by 5. How many now?"
ASKED = [{"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
USAGE = {"prompt_tokens": 15, "completion_tokens": 13, "total_tokens": 28}
RIGHT = chat("11 * 5 = 55\nAnswer: 55", usage=USAGE)


@contextmanager
def serving(settings: Settings, *, grace_seconds: int = 5) -> Iterator[str]:
    """The service by uvicorn; gives its URL. When the block is left, all that ran is logged."""
    with served(create_app(settings), http=Protocol, log_config=None, timeout_graceful_shutdown=grace_seconds) as url:
        yield url


@contextmanager
def endpoint(acts: Sequence[Act]) -> Iterator[HostileServer]:
    """A scripted endpoint."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = HostileServer(acts)

    async def serve() -> None:
        async with server:
            ready.set()
            await done.wait()

    try:
        with beside(lambda: loop.run_until_complete(serve()), end=lambda: loop.call_soon_threadsafe(done.set)):
            assert ready.wait(PATIENCE_SECONDS)
            yield server
    finally:
        loop.close()


def held(until: threading.Event, act: Act) -> Act:
    """Another act, once the test says so."""

    async def late(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.to_thread(until.wait, PATIENCE_SECONDS)
        await act(seen, writer)

    return late


def logged() -> list[Run]:
    """Runs that were carried out, from the store in the working folder: those of the logs have no start."""
    with Planner.open() as planner:
        return [run for run in planner.store.stream_runs() if run.started_at is not None]
