"""Server-sent events, and the responses that send them while the client is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import Message, Send

from planner.errors import PlannerError
from planner.service.openai_errors import code_of, openai_error_body, status_of

DONE = b"data: [DONE]\n\n"
STREAM_HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
CLIENT_GONE = 499
TAKING_SECONDS = 60.0
"""A client that takes nothing of its answer for so long has gone: a request at the endpoint waits for it."""


class ClientGone(Exception):
    """The client closed its connection before its answer was there, or takes no more of it."""


def event(data: Mapping[str, Any]) -> bytes:
    """One event of JSON."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def comment(text: str) -> bytes:
    """A line that clients pass over; it keeps the connection open."""
    return f": {text}\n\n".encode()


def header_safe(text: str) -> str:
    """The text as a header may bear it: printable ASCII, no line breaks, not too long."""
    return re.sub("[^ -~]", "?", text)[:200].strip()


class Stream:
    """The body of one response, sent piece by piece. Whoever sends has ClientGone where the client takes none of it."""

    def __init__(self, send: Send) -> None:
        self._to_client = send
        self._is_stuck = False
        self.is_open = False

    async def start(self, status: int, headers: Mapping[str, str], *, events: bool = True) -> None:
        """Send the status and the headers."""
        self.is_open = True
        own = STREAM_HEADERS if events else ()
        given = tuple((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items())
        await self._send({"type": "http.response.start", "status": status, "headers": [*own, *given]})

    async def nobody(self) -> None:
        """The client has gone: nothing is sent any more, yet the log shall have a status that says so."""
        if self._is_stuck:  # what breaks off here is closed by the server
            return
        if not self.is_open:
            await self.start(CLIENT_GONE, {}, events=False)
        await self.end()

    async def write(self, data: bytes) -> None:
        """Send some bytes."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last bytes, if there are any left."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def fail(self, error: PlannerError) -> None:
        """End with an error in OpenAI's form, as an event."""
        body = openai_error_body(status_of(error), str(error), code=code_of(error))
        await self.write(event(body.model_dump()))
        await self.end()

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(TAKING_SECONDS):
                await self._to_client(message)
        except TimeoutError:
            self._is_stuck = True
            raise ClientGone from None
