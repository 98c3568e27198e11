"""An OpenAI-compatible server on loopback whose answers follow from their prompts, for benches of the gateway."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

GENERATORS = ("lab-small", "lab-large", "lab-reviser")


def answer_of(prompt: str) -> str:
    """The answer that every model gives to a prompt."""
    return str(zlib.crc32(prompt.encode()) % 1000)


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


@asynccontextmanager
async def scripted(seconds: float, *, port: int = 0) -> AsyncIterator[str]:
    """The server, which takes so long for every answer; gives its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head, content = await read_message(reader)
                await asyncio.sleep(seconds)
                writer.write(_reply(head.split(b" ", 2)[1].decode(), json.loads(content) if content else {}))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def _reply(path: str, asked: dict[str, Any]) -> bytes:
    if path.endswith("/models"):
        return _whole({"object": "list", "data": [{"id": name, "object": "model"} for name in GENERATORS]})
    if path.endswith("/score"):
        return _whole({"scores": [[0.9] for _ in asked["completions"]], "usage": {"prompt_tokens": 30}})
    prompt = next(one["content"] for one in reversed(asked["messages"]) if one["role"] == "user")
    said = f"4 * 5 = 20\nAnswer: {answer_of(prompt)}"
    n = asked.get("n") or 1
    usage = {"prompt_tokens": 15, "completion_tokens": 13 * n, "total_tokens": 15 + 13 * n}
    if asked.get("stream"):
        return _events(asked, said, usage)
    choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop", "stop_reason": None}
    choices = [{"index": place, **choice} for place in range(n)]
    return _whole({"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": choices,
                   "usage": usage})  # fmt: skip


def _whole(data: dict[str, Any]) -> bytes:
    body = json.dumps(data).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _events(asked: dict[str, Any], said: str, usage: dict[str, int]) -> bytes:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"]}
    parts: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": said[:10]}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": said[10:]}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    body = b"".join(b"data: " + json.dumps(head | part).encode() + b"\n\n" for part in parts) + b"data: [DONE]\n\n"
    start = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return start + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
