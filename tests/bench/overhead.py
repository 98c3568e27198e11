"""Overhead of driver and meter: `python -m tests.bench.overhead` prints a table and writes it into README.md.

A scripted server in a process of its own answers after a fixed time. The same requests are made through the endpoint
alone, and by a search that the driver carries through meter and journal: the difference is their overhead.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from planner.core import Arm, Budget, Completion, Generate, Message, ModelCard, Run, Sample
from planner.execution.driver import drive
from planner.execution.journal import Journal
from planner.execution.meter import Meter
from planner.execution.openai import OpenAIEndpoint
from planner.execution.run_log import run_costs
from planner.strategies.pool import Replies, Requests, Result
from tests.bench.readme import machine, markdown_table, write_figures

CALLS = 2000
CONCURRENCY = 32
REPEATS = 7
PROMPT = (Message("user", "How many primes are below 1000? " * 8),)
CARDS = {"m": ModelCard(name="m", active_params=1e9)}


class Taken(NamedTuple):
    """Seconds of wall time, and of this process's own processor time."""

    wall: float
    processor: float


async def serve(seconds: float, ready: Any) -> None:
    """Answer every request with one choice after so many seconds."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Answer: 168"}}
    usage = {"prompt_tokens": 80, "completion_tokens": 5, "total_tokens": 85}
    body = json.dumps({"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                await asyncio.sleep(seconds)
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, backlog=512)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_server(seconds: float, ready: Any) -> None:
    """The server's process."""
    asyncio.run(serve(seconds, ready))


def asking(n_calls: int, width: int) -> Generator[Requests, Replies, Result]:
    """A search that asks for so many completions, `width` side by side."""
    samples: list[Sample] = []
    for first in range(0, n_calls, width):
        replies = yield tuple(Generate("m", PROMPT, seed=first + i) for i in range(min(width, n_calls - first)))
        samples += [Sample(text=one.text) for reply in replies for one in reply if isinstance(one, Completion)]
    return Result(Arm(generator="m"), tuple(samples), 0)


async def alone(endpoint: OpenAIEndpoint, n_calls: int, width: int) -> None:
    """The same requests, in the same steps, without driver and meter."""
    for first in range(0, n_calls, width):
        requests = (Generate("m", PROMPT, seed=first + i) for i in range(min(width, n_calls - first)))
        await asyncio.gather(*(endpoint.generate(request) for request in requests))


async def driven(endpoint: OpenAIEndpoint, n_calls: int, width: int, folder: Path) -> None:
    """As a run does it: ceilings kept, and every request journalled."""
    with Journal(folder) as journal:
        journal.begin(Run(run_id="bench", prompt_id="p", prompt="x", generator="m"))
        budget = Budget(max_tokens=1e9, max_flops=1e30, max_generations=1e6)
        meter = Meter(budget, CARDS, on_settled=lambda _: journal.spend("bench", run_costs(meter.cost, meter.verdicts)))
        result = await drive(asking(n_calls, width), endpoint, meter)
        assert len(result.samples) == n_calls
        journal.end(["bench"])


async def measured(url: str, concurrency: int, work: Callable[[OpenAIEndpoint], Awaitable[None]]) -> Taken:
    """What the work takes, connections opened before."""
    endpoint = OpenAIEndpoint(url, max_concurrency=concurrency)
    try:
        await alone(endpoint, 2 * concurrency, concurrency)
        wall, processor = time.perf_counter(), time.process_time()
        await work(endpoint)
        return Taken(time.perf_counter() - wall, time.process_time() - processor)
    finally:
        await endpoint.aclose()


def at_server(seconds: float, measure: Callable[[str], list[Taken]]) -> list[Taken]:
    """What is measured at a server of its own."""
    context = multiprocessing.get_context("spawn")
    ready, told = context.Pipe(duplex=False)
    process = context.Process(target=run_server, args=(seconds, told), daemon=True)
    process.start()
    try:
        return measure(f"http://127.0.0.1:{ready.recv()}/v1")
    finally:
        process.terminate()
        process.join()


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory(prefix="planner-overhead-") as name:
        folder = Path(name)

        def calls(url: str) -> list[Taken]:
            both = (lambda e: alone(e, CALLS, CONCURRENCY), lambda e: driven(e, CALLS, CONCURRENCY, folder))
            # One after the other each time: what else the machine does meets both alike.
            return [asyncio.run(measured(url, CONCURRENCY, work)) for _ in range(REPEATS) for work in both]

        def one_run(url: str) -> list[Taken]:
            return [asyncio.run(measured(url, 64, lambda e: driven(e, 64, 64, folder))) for _ in range(REPEATS)]

        taken = at_server(0.0, calls)
        wall = median(run.wall for run in at_server(0.05, one_run))
    bare, whole = (
        Taken(*(median(each) / CALLS * 1e3 for each in zip(*some, strict=True))) for some in (taken[::2], taken[1::2])
    )
    rows: list[list[object]] = [
        ["a generation call by the endpoint alone, concurrency 32", _both(bare), ""],
        ["the same, driven, metered and journalled", _both(whole), ""],
        ["overhead of driver, meter and journal a call", _both(Taken(whole[0] - bare[0], whole[1] - bare[1])), "2 ms"],
        ["a run of 64 generations of 50 ms, concurrency 64", f"{wall:.3f} s", "0.2 s"],
    ]
    table = f"{markdown_table(['', 'measured', 'wanted'], rows)}\n\nOn {machine()}."
    print(table)
    with suppress(LookupError):
        write_figures("overhead", table)


def _both(taken: Taken) -> str:
    return f"{taken.wall:.2f} ms ({taken.processor:.2f} ms of processor time)"


if __name__ == "__main__":
    main()
