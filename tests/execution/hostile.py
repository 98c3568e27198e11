"""A scripted server on loopback that misbehaves as told: raw bytes, so that nothing is mended on the way."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Act = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HostileServer:
    """Answers each request by the next of its acts; the last one goes on. `async with` opens and closes it."""

    acts: Sequence[Act]
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = 0
        self.arrived = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def origin(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.seen.append(request)
                self.arrived.set()
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    await self.acts[min(len(self.seen), len(self.acts)) - 1](request, writer)
                finally:
                    self._at_once -= 1
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers = {}
    while (line := (await reader.readline()).decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, json.loads(raw) if raw else {})


def raw(data: bytes, *, close: bool = False) -> Act:
    """These bytes, and the connection closed or left open."""

    async def act(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return act


def body(
    data: bytes, *, status: int = 200, kind: str = "application/json", length: int | None = None, **headers: str
) -> Act:
    """A body with its head; a wrong `length` promises more than comes."""
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Type: {kind}",
        f"Content-Length: {len(data) if length is None else length}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode() + data, close=length is not None)


def reply(value: Any, *, status: int = 200, **headers: str) -> Act:
    """A JSON value."""
    return body(json.dumps(value).encode(), status=status, **headers)


def error(status: int, message: str = "no", **headers: str) -> Act:
    """An error in OpenAI's form."""
    return reply({"error": {"message": message}}, status=status, **headers)


def chat(*texts: str | None, usage: dict[str, Any] | None = None, **choice: Any) -> Act:
    """A chat completion with a choice for each text."""
    return reply(chat_completion(*texts, usage=usage, **choice))


def chat_completion(*texts: str | None, usage: dict[str, Any] | None = None, **choice: Any) -> dict[str, Any]:
    choices = [
        {"index": place, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
        for place, text in enumerate(texts)
    ]
    return {"object": "chat.completion", "choices": choices} | ({} if usage is None else {"usage": usage})


def answering(answer: Callable[[Seen], tuple[int, Any]]) -> Act:
    """Status and JSON value that depend on the request."""

    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        status, value = answer(seen)
        await reply(value, status=status)(seen, writer)

    return act


def slow(data: bytes, *, seconds_a_byte: float, slow_head: bool = False) -> Act:
    """The bytes of a response one by one."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()

    async def act(_: Seen, writer: asyncio.StreamWriter) -> None:
        if not slow_head:
            writer.write(head)
        for byte in head + data if slow_head else data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds_a_byte)

    return act


def delayed(seconds: float, act: Act) -> Act:
    """Another act, later."""

    async def late(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await act(seen, writer)

    return late


async def reset(_: Seen, writer: asyncio.StreamWriter) -> None:
    """The connection is broken off without a word."""
    writer.transport.abort()


async def silence(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Nothing ever comes."""
    await asyncio.sleep(3600)


def flood(size_bytes: int) -> Act:
    """A body of that size in one JSON string, for as long as the other side reads on."""

    async def act(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size_bytes}\r\n\r\n".encode()
        )
        piece = b'"' + b"a" * 65_535
        for _ in range(-(-size_bytes // len(piece))):
            writer.write(piece)
            await writer.drain()

    return act


def self_signed(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
