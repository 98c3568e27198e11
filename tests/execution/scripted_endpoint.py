"""An endpoint in process that does as it is told, and searches that need no more than one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from planner.core import Arm, Completion, Conventions, Generate, Message, ModelCard, Request, Sample, Verdict, Verify
from planner.strategies.pool import Interrupted, Pool, Replies, Requests, Result

ASKED = (Message("user", "How many?"),)
CARDS = {
    "small": ModelCard(
        name="small", active_params=1e6, usd_per_million_prompt_tokens=1, usd_per_million_completion_tokens=3
    ),
    "judge": ModelCard(name="judge", kind="prm", active_params=2e6, usd_per_million_prompt_tokens=1),
}


def plain(request: Generate, _number: int) -> tuple[Completion, ...]:
    return tuple(
        Completion(f"Answer: {i}", prompt_tokens=5, completion_tokens=10, latency_seconds=0.0) for i in range(request.n)
    )


@dataclass
class Scripted:
    """`reply` answers the request of that number (from 0), or raises; `seconds` is what each takes."""

    reply: Callable[[Generate, int], tuple[Completion, ...]] = plain
    score: Callable[[Verify, int], tuple[Verdict, ...]] = field(
        default=lambda request, _: tuple(Verdict(0.5, tokens=20) for _ in request.candidates)
    )
    seconds: float = 0.0
    max_concurrency: int = 16
    name: str = "scripted"
    conventions: Conventions = field(default_factory=Conventions)
    seen: list[Request] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    async def models(self) -> tuple[str, ...]:
        return ("small", "judge")

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        return await self._answer(request, self.reply)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        return await self._answer(request, self.score)

    async def aclose(self) -> None:
        return

    async def _answer(self, request, reply):
        number = len(self.seen)
        self.seen.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.seconds)
            return reply(request, number)
        finally:
            self.running -= 1


def ask(n: int = 1, **members) -> Generate:
    return Generate("small", ASKED, n=n, **({"generations": float(n)} | members))


def asking(*steps: Requests) -> Generator[Requests, Replies, Result]:
    """A search that asks these steps one after the other; every completion is a candidate."""
    pool, interrupted = Pool(), None
    try:
        for requests in steps:
            replies = yield requests
            for completion in (one for reply in replies for one in reply if isinstance(one, Completion)):
                text = completion.text
                pool.add(Sample(chain=len(pool.samples), text=text, answer=text.removeprefix("Answer: ")))
    except Interrupted as stop:
        interrupted = str(stop)
    return Result(Arm(generator="small"), tuple(pool.samples), 0 if pool.samples else None, interrupted)
