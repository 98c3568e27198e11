from __future__ import annotations

import asyncio
import io
import os
import ssl
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cached_property, lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import certifi
from multidict import CIMultiDict
from yarl import URL

from planner.errors import InvalidInput
from planner.execution.openai.in_process import App, answer_of

KEPT_SECONDS = 4.0
"""A connection that was idle for longer is not used again: many servers close them after five seconds."""
_STALE_SECONDS = 0.5
"""So soon a connection breaks that the server had closed before; one that it closes over its work takes longer."""
_MOST_HEAD_BYTES = 64 * 1024
_MOST_BYTES_AT_ONCE = 2**20 - 1
_UNBOUNDED = aiohttp.ClientTimeout(total=None)


class Reply(NamedTuple):
    """The head of a response, the names of its headers without case, and its body as it comes (decoded)."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Lines:
    """Connections to one server, as many as are used side by side, kept a while for the next request.

    They belong to one event loop; a new loop begins with none. An application that is given is asked instead of the
    server, in this process.
    """

    def __init__(self, url: str, app: App | None = None) -> None:
        """Raises InvalidInput where the environment names a proxy of a kind that cannot be used."""
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left_at = float("-inf")
        self._url = url
        self._app = app
        self._proxy = None if app is not None else proxy_of(url)

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        limits: aiohttp.ClientTimeout = _UNBOUNDED,
        head_seconds: float | None = None,
    ) -> AsyncIterator[Reply]:
        """A request and its reply, whose body is read within. Redirects are not followed.

        head_seconds: until the reply's head is there, however slowly it comes.
        A request over a connection that the server had closed meanwhile is sent once more, over a new one.
        Raises aiohttp.ClientError or TimeoutError, also while the body is read.
        """
        if self._app is not None:
            status, told, body = await answer_of(self._app, method, url, headers, content or b"")
            yield Reply(status, told, _whole(body))
            return

        async def answered(session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
            return await session.request(
                method, _parsed(url), headers=headers, data=_sent(content), allow_redirects=False, timeout=limits
            )

        started, once = time.monotonic(), None
        try:
            async with asyncio.timeout(head_seconds):
                try:
                    response = await answered(self._opened())
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    if isinstance(error, aiohttp.ClientConnectorError) or not self._was_stale(started):
                        raise
                    once = self._new()
                    response = await answered(once)
            try:
                yield Reply(response.status, _clean(response.headers), response.content.iter_any())
            finally:
                response.close()  # one that was read to its end has given its connection back before
            self._left_at = time.monotonic()
        finally:
            if once is not None:
                await once.close()

    def _was_stale(self, started: float) -> bool:
        """Whether what broke just now may well have been a connection left from before."""
        return started - self._left_at <= KEPT_SECONDS and time.monotonic() - started <= _STALE_SECONDS

    async def aclose(self) -> None:
        """Close the connections; the next request opens others."""
        if self._session is not None and self._loop is asyncio.get_running_loop():
            session, self._session = self._session, None
            await session.close()
        self._forget()

    def __del__(self) -> None:
        """Who asks from code that is not async has nowhere to close; what is left there aiohttp would call an error."""
        if self._loop is not None and self._loop.is_closed():
            self._forget()

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._forget()
            self._loop, self._session = loop, self._new()
        return self._session

    def _forget(self) -> None:
        """Let go of what another event loop opened, and alone could close if it had not ended."""
        session, self._session = self._session, None
        if session is None or session.connector is None or self._loop is None:
            return
        connector = session.connector
        session.detach()
        if self._loop.is_closed():
            with suppress(StopIteration):  # there is nothing left to wait for
                next(connector.close().__await__())

    def _new(self) -> aiohttp.ClientSession:
        # How many requests there are at once, and for how long, is limited by who sends them.
        tls = self._tls if self._url.startswith("https:") else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            skip_auto_headers=("User-Agent",),
            proxy=self._proxy,
            max_line_size=_MOST_HEAD_BYTES,
            max_field_size=_MOST_HEAD_BYTES,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Read from disk once, not once a connection. The environment may name other authorities than the usual."""
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        return ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder)


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for a URL (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY).

    Raises InvalidInput where it is none for HTTP.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = found if "://" in found else f"http://{found}"
    kind = urlsplit(proxy).scheme
    if kind not in {"http", "https"}:
        raise InvalidInput(
            f"the environment names a proxy for {parts.scheme}://{parts.hostname} that speaks {kind!r}: only HTTP "
            "proxies can be used; name one, or put the host into NO_PROXY"
        )
    return proxy


def _sent(content: bytes | None) -> bytes | io.BytesIO | None:
    """More than a mebibyte is handed over piece by piece: copied at once it would hold up everybody else."""
    return io.BytesIO(content) if content is not None and len(content) > _MOST_BYTES_AT_ONCE else content


def _clean(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers without halves of surrogate pairs, which stand for bytes that are no UTF-8.

    They end up in errors and in logs, and no store or client could take them.
    """
    if all(map(str.isascii, headers.values())):
        return headers
    return CIMultiDict(
        (name, value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")) for name, value in headers.items()
    )


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


@lru_cache(maxsize=256)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)
