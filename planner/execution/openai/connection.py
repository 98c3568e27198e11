from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

KEPT_SECONDS = 5.0
"""A connection that was idle for longer is not used again: servers close them about then."""


class Connection(httpx.AsyncBaseTransport):
    """One connection, opened anew where it has ended; for one request at a time."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._kept: httpcore.AsyncHTTPConnection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, its body not read yet. Raises httpx.HTTPError, also while it is read."""
        url, stream = request.url, request.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=stream,
            extensions=request.extensions,
        )
        with _in_words_of_httpx():
            answered = await (await self._to(asked.url.origin)).handle_async_request(asked)
        return httpx.Response(answered.status, headers=answered.headers, stream=_Body(answered))

    async def aclose(self) -> None:
        """Close the connection; the next request opens another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.aclose()

    async def _to(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        kept = self._kept
        if kept is None or kept.is_closed() or kept.has_expired() or not kept.can_handle_request(origin):
            await self.aclose()
            kept = httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, keepalive_expiry=KEPT_SECONDS)
            self._kept = kept
        return kept


class _Body(httpx.AsyncByteStream):
    def __init__(self, answered: httpcore.Response) -> None:
        self._answered = answered

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _in_words_of_httpx():
            async for piece in self._answered.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        with _in_words_of_httpx():
            await self._answered.aclose()


_WORDS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ProtocolError, httpx.RemoteProtocolError),
    (httpcore.NetworkError, httpx.ReadError),
)


@contextmanager
def _in_words_of_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(kind for kind, _ in _WORDS) as error:
        kind = next(told for kind, told in _WORDS if isinstance(error, kind))
        raise kind(str(error)) from error
