"""Servers on loopback, each in a thread: the service whole, and an endpoint that answers as it is told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from execution.hostile import Act, HostileServer, chat

from planner import Planner
from planner.config import Settings
from planner.core import Run
from planner.service.app import create_app

QUESTION = "Start with 11. Multiply by 5. How many now?"
ASKED = [{"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
USAGE = {"prompt_tokens": 15, "completion_tokens": 13, "total_tokens": 28}
RIGHT = chat("11 * 5 = 55\nAnswer: 55", usage=USAGE)


@contextmanager
def serving(settings: Settings, *, grace_seconds: int = 5) -> Iterator[str]:
    """The service by uvicorn; gives its URL. When the block is left, all that ran is logged."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings), port=0, log_config=None, ws="none", timeout_graceful_shutdown=grace_seconds
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def endpoint(acts: Sequence[Act]) -> Iterator[HostileServer]:
    """A scripted endpoint."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = HostileServer(acts)

    async def serve() -> None:
        async with server:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def wait_until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something that another thread does."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def logged() -> list[Run]:
    """Runs that were carried out, from the store in the working folder: those of the logs have no start."""
    with Planner.open() as planner:
        return [run for run in planner.store.stream_runs() if run.started_at is not None]
