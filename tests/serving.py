"""`planner serve` as a process of its own, for tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest


class Service:
    """A server process, its log and a client."""

    def __init__(self, home: Path, *, workers: int = 1, env: Mapping[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        command = [sys.executable, "-m", "planner", "serve", "--port", self.url.rpartition(":")[2]]
        environ = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        self.log_file = home / "serve.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", str(workers)], cwd=home, env=environ, stdout=log, stderr=log
            )
        self.wait(lambda: httpx.get(f"{self.url}/readyz").status_code == 200)

    def wait(self, ready, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log_file.read_text()
            with contextlib.suppress(httpx.HTTPError):
                if ready():
                    return
            time.sleep(0.05)
        pytest.fail(self.log_file.read_text())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextlib.contextmanager
def running(home: Path, **options: object) -> Iterator[Service]:
    service = Service(home, **options)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.terminate()
            service.process.wait(30)
