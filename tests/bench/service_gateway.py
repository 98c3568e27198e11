"""What the gateway adds to an endpoint's own time: `python -m tests.bench.service_gateway [FOLDER]`.

A scripted endpoint of a fixed latency, the service in a process of its own, and a client that waits for each answer,
all on loopback. FOLDER holds planner.db with a promoted policy; without one `planner demo` makes it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from tests.bench.readme import machine, markdown_table

LATENCY_SECONDS = 0.25
REQUESTS = {1: 120, 16: 1600}
ENDPOINT_PORT, SERVICE_PORT = 8474, 8475
PATHS = {
    "directly": (ENDPOINT_PORT, {"model": "lab-small"}),
    "passed through": (SERVICE_PORT, {"model": "lab-small"}),
    "planned": (SERVICE_PORT, {"model": "auto-lab-small", "planner": {"max_generations": 1}}),
    "planned, streamed": (SERVICE_PORT, {"model": "auto-lab-small", "stream": True, "planner": {"max_generations": 1}}),
}


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one HTTP message."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return head, body
    return head, await reader.readexactly(int(fields.get(b"content-length", b"0")))


async def endpoint() -> None:
    """An OpenAI-compatible server that answers after `LATENCY_SECONDS`, neither sooner nor much later."""
    answer = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "lab-small",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "4 * 5 = 20\nAnswer: 20"},
                     "finish_reason": "stop", "stop_reason": None}],
        "usage": {"prompt_tokens": 15, "completion_tokens": 13, "total_tokens": 28},
    }  # fmt: skip
    body = json.dumps(answer).encode()
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await read_message(reader)
                await asyncio.sleep(LATENCY_SECONDS)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", ENDPOINT_PORT)
    await server.serve_forever()


async def seconds_of(port: int, body: dict[str, object], concurrency: int) -> list[float]:
    """Seconds of every request, `concurrency` side by side, each on a connection that is kept."""
    numbers = iter(range(REQUESTS[concurrency]))
    taken: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            text = f"Start with {time.time_ns() % 10**9}. Multiply by {number}. How many now?"
            content = json.dumps({**body, "messages": [{"role": "user", "content": text}]}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            started = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            status, answer = await read_message(reader)
            taken.append(time.perf_counter() - started)
            assert b"200" in status[:15], (status, answer)
            assert b"Answer: 20" in answer
        writer.close()

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return taken[len(taken) // 10 :]  # connections and code are warm by then


@contextmanager
def running(command: list[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    """A server process, from when it listens."""
    log = (folder / f"{port}.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError((folder / f"{port}.log").read_text())
            try:
                asyncio.run(_knock(port))
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()
        log.close()


async def _knock(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def measure(folder: Path) -> str:
    """The table of what each way takes beyond the endpoint's own time."""
    here = [sys.executable, "-m", "tests.bench.service_gateway", "endpoint"]
    serve = [sys.executable, "-m", "planner", "serve", "--port", str(SERVICE_PORT)]
    root = str(Path(__file__).resolve().parents[2])
    rows = []
    with (
        running(here, ENDPOINT_PORT, folder, PYTHONPATH=root),
        running(serve, SERVICE_PORT, folder, PLANNER_ENDPOINT_URL=f"http://127.0.0.1:{ENDPOINT_PORT}/v1"),
    ):
        for name, (port, body) in PATHS.items():
            for concurrency in REQUESTS:
                taken = np.array(asyncio.run(seconds_of(port, body, concurrency)))
                over = 1000 * (taken - LATENCY_SECONDS)
                figures = (median(over), np.quantile(over, 0.99))
                rows.append([name, str(concurrency), *(f"{value:.1f}" for value in figures)])
    head = ["way", "side by side", "ms over the endpoint's latency, p50", "p99"]
    return f"{machine()}; an endpoint of {1000 * LATENCY_SECONDS:.0f} ms\n\n{markdown_table(head, rows)}"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["endpoint"]:
        asyncio.run(endpoint())
        return
    if sys.argv[1:]:
        print(measure(Path(sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "planner", "demo"], cwd=folder, check=True, capture_output=True)
        print(measure(Path(folder)))


if __name__ == "__main__":
    main()
