"""What every request passes: an id, who may do what, limits, security headers, measures and the access log."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.service.metrics import Metrics
from planner.service.problems import problem
from planner.service.security import Role, Tokens, is_loopback, needed

ACCESS = logging.getLogger("planner.service.access")
BODY_TIMEOUT_SECONDS = 30.0
LEAST_BYTES_A_SECOND = 20_000
"""How long a client may take to send its request's body: so many seconds, and the time that this pace takes."""
RETRY_AFTER_SECONDS = 1
FIGURES = "/metrics"
"""Asked for under any load: it is under load that somebody looks."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", _POLICY),
]


class _Refused(HTTPException):
    """A refusal: of this class, so that whoever reads the body lets it pass."""


@dataclass
class Guard:
    """ASGI application around another. One plain class: it is on the way of every request.

    most_bytes: of a request's body. most_requests: side by side; more are told to come again.
    """

    app: ASGIApp
    tokens: Tokens
    metrics: Metrics
    most_bytes: int
    most_requests: int
    _running: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS, (b"x-request-id", request_id.encode())]
            await send(message)

        self._running += 1
        try:
            self._admit(scope, headers)
            await self.app(scope, self._bounded(headers, receive), answer)
        except _Refused as refusal:
            response = problem(
                refusal.status_code, refusal.detail, request_id=request_id, headers=refusal.headers, path=scope["path"]
            )
            await response(scope, receive, answer)
        finally:
            self._running -= 1
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.request(scope["method"], route, status, seconds)
            # The path without its query: what is asked about never stands in the access log.
            if ACCESS.isEnabledFor(logging.INFO):
                ACCESS.info(
                    "%s %s %d %.1f ms", scope["method"], scope["path"], status, 1000 * seconds,
                    extra={"request_id": request_id, "status": status, "milliseconds": round(1000 * seconds, 2)},
                )  # fmt: skip

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        need = needed(scope["method"], scope["path"])
        if self._running > self.most_requests and need > Role.NONE and scope["path"] != FIGURES:
            raise _Refused(429, "too many requests side by side", {"Retry-After": str(RETRY_AFTER_SECONDS)})
        if not self.tokens:
            _only_from_here(scope, headers)
        role = self.tokens.role(headers.get(b"authorization"))
        if role < need and role == Role.NONE:
            raise _Refused(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        if role < need:
            raise _Refused(403, f"this takes a token of the role {need.name.lower()}")

    def _bounded(self, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """`receive` with a limit on the body's bytes and on the time that it takes."""
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.most_bytes:
            raise self._too_large()
        received, ended, began = 0, False, time.monotonic()

        async def bounded() -> Message:
            nonlocal received, ended
            if ended:  # what comes now is that the client goes away: that may take as long as it likes
                return await receive()
            try:
                until = began + BODY_TIMEOUT_SECONDS + received / LEAST_BYTES_A_SECOND
                async with asyncio.timeout(until - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                seconds = time.monotonic() - began
                raise _Refused(408, f"the body came too slowly: {received:,} bytes of it in {seconds:.0f} s") from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                ended = not message.get("more_body", False)
                if received > self.most_bytes:
                    raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> _Refused:
        return _Refused(413, f"the body is larger than {self.most_bytes:,} bytes (PLANNER_SERVICE_MAX_BODY_BYTES)")


def _only_from_here(scope: Scope, headers: dict[bytes, bytes]) -> None:
    """Without a token, other sites' pages in a browser on this machine must not reach the service either."""
    host = headers.get(b"host", b"localhost").decode("latin-1")
    if not _is_ours(host):
        raise _Refused(421, "without a token the service answers to this machine's own names only")
    origin = headers.get(b"origin")
    if origin and scope["method"] not in {"GET", "HEAD"} and urlsplit(origin.decode("latin-1")).netloc != host:
        raise _Refused(403, "a page of another origin may not write here")


@lru_cache(maxsize=256)
def _is_ours(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    # To be told apart, not to be guessed: to ask the system for each takes longer, and lets go of the interpreter.
    return given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
