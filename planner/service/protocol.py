"""HTTP as uvicorn speaks it, with fewer writes (head and body of a response go out together), and heads in time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
"""So much is written at once at the latest, so that a transport that cannot keep up says so."""
HEAD_SECONDS = 30.0
"""How long a connection may wait for the head of its first request, and any request for the rest of its own."""
MOST_HEAD_BYTES = 65_536
"""A head that is not whole after so many is refused."""


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
    """uvicorn's protocol over such a transport.

    Who sends no whole head is let go: nothing is known of such a client, not even whether it may ask for anything.
    """

    _head_bytes: int | None = None
    """Of a head that has begun; None between heads."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._joined))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._end_patience()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        before = self._head_bytes
        super().data_received(data)
        if self._head_bytes is None or self._joined.is_closing():
            return
        if before is not None:  # else it begins somewhere in these bytes
            self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self._is_answering:
            self.send_400_response("The head of the request is too large.")
        elif self._patience is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._head_bytes = None
        self._end_patience()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A response is whole: nobody waits for the turn's end."""
        self._joined.flush()
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._lose_patience)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if self._is_answering:
            self._wait_for_head()
        else:
            self._joined.close()

    @property
    def _is_answering(self) -> bool:
        """Whether an earlier request is: its answer is not broken off for what a client sends beside it."""
        return self.cycle is not None and not self.cycle.response_complete
