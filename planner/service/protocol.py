"""HTTP as uvicorn speaks it, with fewer writes: head and body of a response go out together."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
"""So much is written at once at the latest, so that a transport that cannot keep up says so."""


class JoinedWrites:
    """A transport that writes what it is given in one turn of the event loop at once, or when it is told to.

    Heads that are written by themselves wake the client for nothing, and take a tenth of a small request's time.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._waiting: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the transport's own
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the data, by the end of this turn."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write now what waits."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        if waiting and not self._transport.is_closing():
            self._transport.write(b"".join(waiting))

    def close(self) -> None:
        """Close the connection, once all is written."""
        self.flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._joined))

    def on_response_complete(self) -> None:
        """A response is whole: nobody waits for the turn's end."""
        self._joined.flush()
        super().on_response_complete()
