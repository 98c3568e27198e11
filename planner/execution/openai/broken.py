"""Exchanges with a server that broke, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from planner.errors import EndpointError, EndpointRejected, EndpointUnavailable
from planner.execution.openai.complaints import redacted

_MOST_CHARACTERS = 100


def broken(name: str, about: str, error: aiohttp.ClientError, secrets: Sequence[str]) -> EndpointError:
    """The error for whoever asked. name: of the server; about: the same with what it was asked."""
    said = redacted(_told(error), secrets)
    if isinstance(error, aiohttp.ClientSSLError):
        return EndpointRejected(
            f"the TLS connection to {name} cannot be trusted: {said}; set SSL_CERT_FILE to the certificate of its "
            "authority, or correct the URL"
        )
    if _is_undecoded(error):
        return EndpointRejected(f"{about} answered what cannot be read: {said}; check the URL")
    if isinstance(error, aiohttp.ClientConnectorError):
        return EndpointUnavailable(f"{name} cannot be reached: {said}; is the server running there?")
    return EndpointUnavailable(f"{about} broke off: {said}; try later")


def _told(error: aiohttp.ClientError) -> str:
    """What went wrong on one line: without the URL, whose query may hold a key, and without what was answered."""
    if _is_undecoded(error):
        return "its content is encoded in a way that was not asked for"
    return next((words(error) for kind, words in _WORDS if isinstance(error, kind)), type(error).__name__)


def _system(error: aiohttp.ClientOSError) -> str:
    return error.strerror if error.errno and error.strerror else "the connection was closed"


def _no_http(error: aiohttp.ClientResponseError) -> str:
    first = next((line for line in map(str.strip, error.message.splitlines()) if line), "").rstrip(":")
    return f"its answer is no HTTP ({first[:_MOST_CHARACTERS]})"


_WORDS: tuple[tuple[type[aiohttp.ClientError], Callable[[Any], str]], ...] = (
    (aiohttp.ClientConnectorCertificateError, lambda error: str(error.certificate_error)),
    (aiohttp.ClientConnectorError, lambda error: str(error.os_error)),
    (aiohttp.ClientOSError, _system),
    (aiohttp.ServerConnectionError, lambda _: "the connection was closed without an answer"),
    (aiohttp.ClientPayloadError, lambda _: "its answer is not complete"),
    (aiohttp.ClientResponseError, _no_http),
)


def _is_undecoded(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ContentEncodingError):
        error = error.__cause__ or error.__context__
    return error is not None
