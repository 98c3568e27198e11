"""A request to an ASGI application in this process, as the lab's server is asked where no server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
"""An ASGI application (https://asgi.readthedocs.io, HTTP)."""


async def answer_of(
    app: App, method: str, url: str, headers: Mapping[str, str], content: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of the application's answer, once it is complete."""
    parts = urlsplit(url)
    given = {"host": parts.netloc, "content-length": str(len(content))}
    given |= {name.lower(): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "server": (parts.hostname, parts.port),
        "client": ("127.0.0.1", 0),
    }
    coming: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[Message] = []
    answered = asyncio.Event()

    async def receive() -> Message:
        if coming:
            return coming.pop()
        await answered.wait()  # who asks stays until then
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    finally:
        answered.set()
    head = sent[0]
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head["headers"]}
    return head["status"], told, b"".join(message.get("body", b"") for message in sent[1:])
