"""A planned answer: recommended, carried out within its budget, logged, and answered whole or as events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import orjson
from starlette.types import Receive, Scope, Send

from planner.api.asked import Asked
from planner.api.running import How
from planner.core import Cost
from planner.execution.job import Job
from planner.policy import PromptInput
from planner.service.gateway.budgets import Planned
from planner.service.gateway.limited import Found, Searching, limited, told
from planner.service.gateway.request import Ask
from planner.service.gateway.response import Answered, plan_headers
from planner.service.gateway.sse import DONE, Stream, comment, event
from planner.service.gateway.watch import answer
from planner.strategies.task import Task

if TYPE_CHECKING:
    from planner.service.gateway.gateway import Gateway

PIECE_CHARACTERS = 64
WRITE_BYTES = 16_384


@dataclass
class Answering:
    """One request, planned already: an ASGI response."""

    gateway: Gateway
    ask: Ask
    planned: Planned
    _spent: Cost | None = field(default=None, init=False)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer; raises PlannerError where nothing was sent yet."""
        stream = Stream(send)
        work = self._stream(stream) if self.ask.streams else self._whole(stream)
        await answer(stream, receive, self.gateway.tracked(work))

    async def run(self) -> Answered:
        """Carry the plan out; what is spent is counted, whatever comes of it."""
        running = await self.gateway.running()
        found = Found()
        job = running.job(self.planned.plan, self._asked(), self.planned.used, self._how())
        job = replace(job, budget=self.planned.asked, search=partial(self._search, job, found))
        cost: Cost | None = None
        try:
            result = await running.runner.run(job, on_spent=self._note)
            cost = result.cost
        finally:
            cost = cost or self._spent
            if cost is not None:
                self.gateway.budgets.over(self.planned, cost, in_flight=self.gateway.in_flight)
        return Answered(self.ask, self.planned, result, found)

    def _note(self, _: str, cost: Cost) -> None:
        self._spent = cost

    def _search(self, job: Job, found: Found, task: Task) -> Searching:
        return limited(told(job.searching(task), self.ask.limits), self.ask.limits, found)

    def _asked(self) -> Asked:
        ask = self.ask
        given = PromptInput(ask.text or "", ask.prompt_id, ask.dataset, ask.metadata)
        return Asked(given, ask.raw["messages"], ask.reference)

    def _how(self) -> How:
        ask = self.ask
        return How(adapt=ask.adapt and not ask.is_forced, extract=ask.extract, grade=ask.grade, seed=ask.seed)

    async def _whole(self, stream: Stream) -> None:
        answered = await self.run()
        content = answered.completion().model_dump_json().encode()
        headers = {"content-type": "application/json", "content-length": str(len(content)), **answered.headers()}
        await stream.start(200, headers, events=False)
        await stream.end(content)

    async def _stream(self, stream: Stream) -> None:
        run = asyncio.create_task(self.run())
        try:
            while not (await asyncio.wait({run}, timeout=self.gateway.settings.service_keepalive_seconds))[0]:
                if not stream.is_open:
                    await stream.start(200, plan_headers(self.planned))
                await stream.write(comment("planning"))
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        answered = run.result()
        if not stream.is_open:
            await stream.start(200, answered.headers())
        *before, last = blocks(chunks(answered))
        for block in before:
            await stream.write(block)
        await stream.end(last)


def chunks(answered: Answered) -> Iterator[bytes]:
    """The events of an answer: the role, its text, its end, its usage if asked for, and that it is done."""
    completion = answered.completion()
    head = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "system_fingerprint": completion.system_fingerprint,
    }
    if answered.ask.with_usage:
        head["usage"] = None

    def chunk(delta: dict[str, str], finish_reason: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**head, "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""})
    text = answered.content
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield chunk({"content": text[start : start + PIECE_CHARACTERS]})
    assert completion.planner is not None
    yield chunk({}, answered.finish_reason, planner=orjson.Fragment(completion.planner.model_dump_json()))
    if answered.ask.with_usage:
        usage = None if completion.usage is None else completion.usage.model_dump()
        yield event({**head, "choices": [], "usage": usage})
    yield DONE


def blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, several sent at once."""
    block = b""
    for piece in pieces:
        block += piece
        if len(block) >= WRITE_BYTES:
            yield block
            block = b""
    if block:
        yield block
