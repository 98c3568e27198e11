"""Where requests go that are passed through as they are: the configured servers, or the laboratory in this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from planner.api.endpoints import LAB
from planner.config import Settings
from planner.errors import EndpointRejected, EndpointTimeout, InvalidInput, NotReady
from planner.execution.openai.address import Address
from planner.execution.openai.broken import broken
from planner.execution.openai.complaints import redacted
from planner.execution.openai.in_process import App
from planner.execution.openai.lines import Lines, Reply

CONNECT_SECONDS = 10.0
_PATH = "/chat/completions"
_HEADERS = {
    "Accept": "application/json, text/event-stream", "Content-Type": "application/json",
}  # fmt: skip


class Upstream:
    """One server; its redirects are not followed, since the key would go along."""

    def __init__(self, url: str, settings: Settings, *, with_key: bool) -> None:
        """`url`: of a server, or `lab`. The key of the settings is for the first server alone."""
        self.address = Address.of("http://lab/v1" if url == LAB else url)
        key = settings.api_key if with_key else None
        self._key = None if key is None else key.get_secret_value()
        self._headers = _HEADERS | self.address.credentials(self._key)
        self._seconds = settings.request_timeout_seconds
        # Each wait for bytes is bounded; a whole answer that does not stream is bounded where it is read.
        self._limits = aiohttp.ClientTimeout(
            total=None, sock_connect=min(CONNECT_SECONDS, self._seconds), sock_read=self._seconds
        )
        self._url = self.address.request(_PATH)
        self._lines = Lines(self.address.origin, _lab() if url == LAB else None)

    @asynccontextmanager
    async def post(self, body: Mapping[str, Any]) -> AsyncIterator[Reply]:
        """The server's reply, its body not read yet. Raises EndpointError in words, also while it is read."""
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with self._lines.exchange(
                "POST",
                self._url,
                headers=self._headers,
                content=content,
                limits=self._limits,
                head_seconds=self._seconds,
            ) as reply:
                self._check(reply)
                yield reply
        except TimeoutError as error:
            raise EndpointTimeout(
                f"{self.address.name} did not answer within {self._seconds:g} seconds (PLANNER_REQUEST_TIMEOUT_SECONDS)"
            ) from error
        except aiohttp.ClientError as error:
            raise broken(self.address.name, self.address.name, error, self._secrets) from error

    def redacted(self, text: str) -> str:
        """The text without what is secret of the server."""
        return redacted(text, self._secrets)

    @property
    def _secrets(self) -> tuple[str, ...]:
        return tuple(secret for secret in (self._key, *self.address.secrets) if secret)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._lines.aclose()

    def _check(self, reply: Reply) -> None:
        """Raise EndpointRejected for what is the fault of this server's settings, not of the client's request."""
        if reply.status in {401, 403}:
            raise EndpointRejected(
                f"{self.address.name} answered {reply.status} to the gateway: check its key (PLANNER_API_KEY)"
            )
        if 300 <= reply.status < 400:
            raise EndpointRejected(f"{self.address.name} redirects: give the URL it names (PLANNER_ENDPOINT_URL)")


class Upstreams:
    """The servers of the settings, opened when they are first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, Upstream] = {}

    def of(self, model: str) -> Upstream:
        """The server of a model. Raises NotReady where none is configured, or it cannot be asked as it is."""
        first = self._settings.endpoint_url
        url = self._settings.endpoints.get(model) or first
        if url is None:
            raise NotReady(NO_ENDPOINT)
        if url not in self._opened:
            try:
                self._opened[url] = Upstream(url, self._settings, with_key=url == first)
            except InvalidInput as error:  # of the settings, not of the client's request
                raise NotReady(str(error)) from error
        return self._opened[url]

    async def aclose(self) -> None:
        """Let go of all connections."""
        for upstream in self._opened.values():
            await upstream.aclose()


NO_ENDPOINT = (
    "no endpoint is configured: set PLANNER_ENDPOINT_URL (a server's URL, or `lab`) and start the service again"
)


def _lab() -> App:
    from planner.lab.server.app import create_app  # noqa: PLC0415 - seldom

    return create_app()
