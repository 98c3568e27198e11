"""Servers and other work in threads of a test: all of it ends in time, or the test says what did not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

PATIENCE_SECONDS = 30.0


@contextmanager
def beside(work: Callable[[], object], *, end: Callable[[], object] = lambda: None) -> Iterator[threading.Thread]:
    """Work in a thread while the block runs; then `end` is called, and the thread must come to its end."""
    thread = threading.Thread(target=work, daemon=True)  # one that hangs fails its test, and holds up no other
    thread.start()
    try:
        yield thread
    finally:
        end()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "a thread has not ended"


@contextmanager
def served(app: object, **config: object) -> Iterator[str]:
    """An ASGI application by uvicorn on a free port of loopback; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, **{"port": 0, "ws": "none", "timeout_graceful_shutdown": 5, **config}))

    def end() -> None:
        server.should_exit = True

    with beside(server.run, end=end) as thread:
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start: its log says why"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that another thread does."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)
