from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

import httpx


class Lines:
    """Connections to one server, as many as are used side by side, each by a client of its own.

    The pool of one client looks at all its connections at each request: at 32 of them that took more time than the
    request. Connections belong to one event loop; a new loop begins with none. A client that is given is used for
    all requests, and not closed.
    """

    def __init__(self, given: httpx.AsyncClient | None) -> None:
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def line(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that nobody else uses meanwhile."""
        if self._given is not None:
            yield self._given
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._free = loop, []
        client = self._free.pop() if self._free else self._new()
        try:
            yield client
        finally:
            self._free.append(client)

    async def aclose(self) -> None:
        """Close the connections that are free."""
        free, self._free = self._free, []
        for client in free:
            await client.aclose()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()  # read from disk once, not once a connection

    def _new(self) -> httpx.AsyncClient:
        # Time is limited by who sends.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=1)
        return httpx.AsyncClient(verify=self._tls, timeout=None, limits=limits, follow_redirects=False)  # noqa: S113
