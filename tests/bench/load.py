"""Load on loopback: keep-alive connections that each send the next request when the last is answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np


class Load(NamedTuple):
    """What a load met: seconds of every answer, of the whole, and of the server's processor."""

    seconds: np.ndarray
    wall_seconds: float
    cpu_seconds: float

    @property
    def per_cpu_second(self) -> float:
        """Requests for a second of the server's processor."""
        return len(self.seconds) / self.cpu_seconds

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.wall_seconds

    def percentile_ms(self, share: float) -> float:
        """Latency that `share` percent of the answers keep, in milliseconds."""
        return float(np.percentile(self.seconds, share) * 1e3)


class _Connection(asyncio.Protocol):
    """Sends from `waiting` until it is empty. As little Python an answer as can be: the client is no bottleneck."""

    def __init__(
        self, waiting: Iterator[bytes], seconds: list[float], done: asyncio.Future[None], status: bytes
    ) -> None:
        self._waiting, self._seconds, self._done, self._status = waiting, seconds, done, status
        self._read = bytearray()
        self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._end:
            head = self._read.find(b"\r\n\r\n")
            if head < 0:
                return
            if not self._read.startswith(self._status):
                self._done.set_exception(AssertionError(bytes(self._read[:2000])))
                return
            lower = bytes(self._read[:head]).lower()
            self._end = head + 4 + int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._read) >= self._end:
            self._seconds.append(time.perf_counter() - self._sent)
            self._read, self._end = bytearray(), 0
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionResetError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def request(path: str, body: bytes, *, port: int) -> bytes:
    """A POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def load(port: int, pid: int, requests: Sequence[bytes], *, connections: int, status: int = 200) -> Load:
    """Send all requests over so many connections; raises AssertionError for an answer of another status."""
    import uvloop

    return uvloop.run(_load(port, pid, requests, connections, f"HTTP/1.1 {status} ".encode()))


async def _load(port: int, pid: int, requests: Sequence[bytes], connections: int, status: bytes) -> Load:
    loop = asyncio.get_running_loop()
    waiting, seconds = iter(requests), list[float]()
    ends = [loop.create_future() for _ in range(connections)]
    cpu, start = cpu_seconds(pid), time.perf_counter()
    for end in ends:
        await loop.create_connection(partial(_Connection, waiting, seconds, end, status), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return Load(np.array(seconds), time.perf_counter() - start, cpu_seconds(pid) - cpu)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has had, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Memory of a process that lies in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def worker_pids(supervisor: int) -> list[int]:
    """Processes that serve, which the supervisor has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text("ascii").rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == supervisor and b"resource_tracker" not in command:
            found.append(int(folder.name))
    return found


class Server(NamedTuple):
    """A `planner serve` that runs."""

    process: subprocess.Popen[bytes]
    port: int


@contextlib.contextmanager
def served(
    folder: Path, *, workers: int = 1, cores: set[int] | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`planner serve` in a folder until the block ends, on a port of its own; its output goes to `serve.log` there."""
    port = free_port()
    command = [sys.executable, "-m", "planner", "serve", "--port", str(port), "--workers", str(workers)]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(env or {})}, stdout=log, stderr=log)
    try:
        if cores:
            os.sched_setaffinity(process.pid, cores)
        wait_until_answered(f"http://127.0.0.1:{port}/healthz", process)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()


def wait_until_answered(url: str, process: subprocess.Popen[bytes], *, seconds: float = 120) -> None:
    """Wait for a first answer below 400."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
