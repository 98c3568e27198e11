from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

import httpx

from planner.execution.openai.address import Address
from planner.execution.openai.connection import Connection


class Lines:
    """Connections to one server, as many as are used side by side, each a transport of its own.

    A client of httpx looks at all its connections at each request, and at cookies, redirects and hooks that no server
    here has: that took twice as long as the request itself. Connections belong to one event loop; a new loop begins
    with none. A transport that is given is used for all requests, and not closed.
    """

    def __init__(self, url: str, given: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: list[httpx.AsyncBaseTransport] = []

    @asynccontextmanager
    async def line(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """A transport that nobody else uses meanwhile. What it raises are httpx.HTTPErrors."""
        if self._given is not None:
            yield self._given
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._free = loop, []
        line = self._free.pop() if self._free else self._new()
        try:
            yield line
        finally:
            self._free.append(line)

    async def aclose(self) -> None:
        """Close the connections that are free."""
        free, self._free = self._free, []
        for line in free:
            await line.aclose()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()  # read from disk once, not once a connection

    @cached_property
    def _proxy(self) -> str | None:
        return proxy_of(self._url)

    def _new(self) -> httpx.AsyncBaseTransport:
        # Time is limited by who sends.
        if self._proxy is None:
            return Connection(self._tls if self._url.startswith("https:") else None)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=1)
        return httpx.AsyncHTTPTransport(verify=self._tls, proxy=self._proxy, limits=limits)


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for a URL (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY)."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return found if "://" in found else f"http://{found}"


def body_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes; nobody asks for an encoding, yet a server may use one."""
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return aiter(response.stream)


def asked(
    address: Address,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    content: bytes | None,
    timeout: Mapping[str, float | None] | None = None,
) -> httpx.Request:
    """A request to a route of a server; `timeout` as `httpx.Timeout.as_dict` gives it."""
    url, extensions = address.request(path)
    if timeout is not None:
        extensions["timeout"] = timeout
    return httpx.Request(method, _parsed(url), headers=headers, content=content, extensions=extensions)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)
