"""A service in a process of its own, and its page in a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@contextmanager
def server(folder: Path, **environment: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLANNER_")} | environment
    command = [sys.executable, "-m", "planner", "serve", "--port", str(port)]
    with (folder / "serve.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=folder, env=environ, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
                    break
                except OSError:
                    assert running.poll() is None, (folder / "serve.log").read_text()
                    time.sleep(0.1)
            yield url
        finally:
            running.terminate()
            running.wait(30)


def visit(page, url: str, section: str, *, tolerant: bool = False) -> None:
    page.tolerant = tolerant
    page.goto(f"{url}/#{section}")
    page.reload()
    page.wait_for_selector("main:not([aria-busy]) h2")
