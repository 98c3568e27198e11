"""`make bench`: what the gateway adds to an endpoint's own time, for README.md.

A scripted endpoint of a fixed latency, the service in a process of its own, and a client that asks both in turns, all
on loopback. `--home` names a folder that `planner demo` has filled; without one it is made.
"""

from __future__ import annotations

import argparse
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
from typing import NamedTuple

import numpy as np

from tests.bench.load import cpu_seconds, free_port, served
from tests.bench.readme import machine, markdown_table, pace_ms, write_figures
from tests.bench.scripted import answer_of, read_message, scripted

LATENCY_SECONDS = 0.1
REQUESTS = {1: 40, 16: 480}
"""Of one round, by how many connections share them."""
ROUNDS = 8
WANTED_MS = 5
DIRECTLY = "the endpoint itself"
WAYS: dict[str, dict[str, object]] = {
    DIRECTLY: {"model": "lab-small"},
    "passed through": {"model": "lab-small"},
    "planned, carried out and logged": {"model": "auto-lab-small", "planner": {"max_generations": 1}},
    "the same, streamed": {"model": "auto-lab-small", "stream": True, "planner": {"max_generations": 1}},
}


class Round(NamedTuple):
    """Seconds of every request, and of the service's processor for all of them."""

    seconds: list[float]
    cpu_seconds: float


def ask_all(way: str, port: int, pid: int, connections: int) -> Round:
    """One round of requests, `connections` side by side, each on a connection that is kept."""
    before = cpu_seconds(pid)
    return Round(asyncio.run(_ask_all(WAYS[way], port, connections)), cpu_seconds(pid) - before)


async def _ask_all(body: dict[str, object], port: int, connections: int) -> list[float]:
    numbers = iter(range(REQUESTS[connections]))
    taken: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            prompt = f"Start with {time.time_ns() % 10**9}. Multiply by {number}. How many now?"
            content = json.dumps({**body, "messages": [{"role": "user", "content": prompt}]}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            started = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            status, answer = await read_message(reader)
            taken.append(time.perf_counter() - started)
            assert b"200" in status[:15], (status, answer)
            assert f"Answer: {answer_of(prompt)}".encode() in answer, answer
        writer.close()

    await asyncio.wait_for(asyncio.gather(*(client() for _ in range(connections))), 120)
    return taken


@contextmanager
def endpoint(folder: Path) -> Iterator[int]:
    """The scripted endpoint in a process of its own; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.service_gateway", "--endpoint", str(port)]
    root = str(Path(__file__).resolve().parents[2])
    with (folder / "endpoint.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)
    try:
        for _ in range(300):
            assert process.poll() is None, (folder / "endpoint.log").read_text()
            try:
                asyncio.run(_knock(port))
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def _knock(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def _serve_endpoint(port: int) -> None:
    async with scripted(LATENCY_SECONDS, port=port):
        await asyncio.Event().wait()


def measure(home: Path) -> dict[tuple[str, int], list[Round]]:
    """Rounds of every way at every number of connections, the ways in turns."""
    found: dict[tuple[str, int], list[Round]] = {(way, n): [] for n in REQUESTS for way in WAYS}
    with (
        endpoint(home) as asked,
        served(home, env={"PLANNER_ENDPOINT_URL": f"http://127.0.0.1:{asked}/v1"}) as server,
    ):
        for number in range(1 + ROUNDS):
            for (way, connections), rounds in found.items():
                port = asked if way == DIRECTLY else server.port
                one = ask_all(way, port, server.process.pid, connections)
                if number:  # the first one warms connections and code
                    rounds.append(one)
    return found


def table(found: dict[tuple[str, int], list[Round]]) -> str:
    """What each way takes beyond the endpoint asked directly, and of the processor."""
    rows = []
    for way in WAYS:
        if way == DIRECTLY:
            continue
        cells = [_beyond(found[way, n], found[DIRECTLY, n]) for n in REQUESTS]
        busy = found[way, max(REQUESTS)]
        cpu = 1e3 * sum(one.cpu_seconds for one in busy) / sum(len(one.seconds) for one in busy)
        rows.append([way, *cells, f"{cpu:.1f} ms", f"{WANTED_MS} ms"])
    sides = [f"{n} connection{'s' if n > 1 else ''}, p50 (by round) / p95" for n in REQUESTS]
    head = [f"over an endpoint of {1e3 * LATENCY_SECONDS:.0f} ms", *sides, "processor time", "wanted"]
    return markdown_table(head, rows)


def _beyond(rounds: list[Round], directly: list[Round]) -> str:
    """Of p50 the median of the rounds, the least and the most; of p95 that of all of them."""
    medians = [_ms([one], 50) - _ms([bare], 50) for one, bare in zip(rounds, directly, strict=True)]
    p95 = _ms(rounds, 95) - _ms(directly, 95)
    return f"{np.median(medians):.1f} ({min(medians):.1f} to {max(medians):.1f}) / {p95:.1f} ms"


def _ms(rounds: list[Round], percentile: float) -> float:
    return float(1e3 * np.percentile(np.concatenate([one.seconds for one in rounds]), percentile))


def main() -> None:
    """Measure, print, write."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--dry", action="store_true", help="write nothing")
    reader.add_argument("--home", type=Path, help="a folder that `planner demo` has filled; it is written to")
    reader.add_argument("--endpoint", type=int, help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.endpoint is not None:
        asyncio.run(_serve_endpoint(asked.endpoint))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="planner-gateway-") as folder:
        home = asked.home or Path(folder)
        if asked.home is None:
            subprocess.run([sys.executable, "-m", "planner", "demo"], cwd=home, check=True, capture_output=True)
        before = pace_ms()
        text = table(measure(home))
        text += (
            f"\n\nOn {machine()}; a million turns of a bare loop took {before:.0f} / {pace_ms():.0f} ms before / after."
        )
    print(text)
    if not asked.dry:
        write_figures("service_gateway", text)


if __name__ == "__main__":
    main()
