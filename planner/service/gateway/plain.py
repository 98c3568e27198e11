"""The untouched path: a request goes to one model's server as it came, and its answer comes back as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from planner.errors import EndpointRejected, EndpointTimeout
from planner.execution.openai.complaints import answered, excerpt
from planner.execution.openai.lines import Reply
from planner.service.gateway.plain_log import PlainLog
from planner.service.gateway.request import OWN_MEMBERS, Ask
from planner.service.gateway.sse import Stream
from planner.service.gateway.upstream import Upstream
from planner.service.gateway.watch import answer
from planner.service.openai_errors import openai_error_body

if TYPE_CHECKING:
    from planner.service.gateway.gateway import Gateway

MOST_BODY_BYTES = 64_000_000
"""Of an answer that does not stream."""
_KEPT = ("content-type", "retry-after", "x-should-retry", "openai-processing-ms")


class PassedThrough:
    """ASGI response: the answer of `model` to the request, sent on as it comes."""

    def __init__(self, gateway: Gateway, ask: Ask, model: str, headers: Mapping[str, str]) -> None:
        self._gateway, self._ask, self._model = gateway, ask, model
        self._headers = dict(headers)
        self._body = {name: value for name, value in ask.raw.items() if name not in OWN_MEMBERS} | {"model": model}

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer; raises EndpointError where nothing was sent yet."""
        stream = Stream(send)
        await answer(stream, receive, self._gateway.tracked(self._pass(stream)))

    async def _pass(self, stream: Stream) -> None:
        running = await self._gateway.running()
        upstream = self._gateway.upstreams.of(self._model)
        async with running.runner.slots.of_generator(self._model):
            log = PlainLog(running.runner, self._ask, self._model, self._gateway.estimates[self._model])
            try:
                async with AsyncExitStack() as asking:
                    try:
                        reply = await asking.enter_async_context(upstream.post(self._body))
                    except EndpointRejected:  # the key, or the address: the model was not asked
                        log.refused()
                        raise
                    if reply.status >= 400:
                        log.refused()
                        await self._send_refusal(stream, reply, upstream)
                        return
                    if log.is_kept:
                        self._headers["x-planner-run-id"] = log.run_id
                    if _streams(reply):
                        await self._relay(stream, reply, log)
                    else:
                        content = await self._whole(reply)
                        data = _read(content)
                        log.whole(data)
                        await self._send_whole(stream, reply, content, data)
            finally:
                self._gateway.metrics.spent(log.end())
                self._gateway.beside(log.write())

    async def _relay(self, stream: Stream, reply: Reply, log: PlainLog) -> None:
        await stream.start(reply.status, self._kept(reply), events=False)
        async for piece in reply.pieces:
            log.feed(piece)
            await stream.write(piece)
        log.streamed()
        await stream.end()

    async def _send_refusal(self, stream: Stream, reply: Reply, upstream: Upstream) -> None:
        """What the server says in JSON as it is; what is none, such as a proxy's page, in OpenAI's form."""
        said = upstream.redacted((await self._whole(reply)).decode("utf-8", "replace"))
        content, headers = said.encode(), self._kept(reply)
        if not isinstance(_read(said), dict):
            told = answered(upstream.address.name, self._model, reply.status, excerpt(content, ()))
            content = openai_error_body(reply.status, told).model_dump_json().encode()
            headers["content-type"] = "application/json"
        await _send(stream, reply.status, headers, content)

    async def _send_whole(self, stream: Stream, reply: Reply, content: bytes, data: object) -> None:
        if not isinstance(data, dict):
            raise EndpointRejected(f"the server of {self._model!r} answered {reply.status} with what is no JSON")
        await _send(stream, reply.status, self._kept(reply), content)

    async def _whole(self, reply: Reply) -> bytes:
        pieces, size = [], 0
        seconds = self._gateway.settings.request_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                async for piece in reply.pieces:
                    size += len(piece)
                    if size > MOST_BODY_BYTES:
                        raise EndpointRejected(f"the server of {self._model!r} answered more than can be taken")
                    pieces.append(piece)
        except TimeoutError:
            raise EndpointTimeout(f"the server of {self._model!r} took longer than {seconds:g} seconds") from None
        return b"".join(pieces)

    def _kept(self, reply: Reply) -> dict[str, str]:
        return {n: reply.headers[n] for n in _KEPT if n in reply.headers} | self._headers


async def _send(stream: Stream, status: int, headers: Mapping[str, str], content: bytes) -> None:
    await stream.start(status, {"content-length": str(len(content)), **headers}, events=False)
    await stream.end(content)


def _streams(reply: Reply) -> bool:
    return str(reply.headers.get("content-type", "")).startswith("text/event-stream")


def _read(content: bytes | str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
