from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import aiohttp

from planner.errors import EndpointError, EndpointRejected, EndpointTimeout, EndpointUnavailable, RequestRefused
from planner.execution.openai.address import Address
from planner.execution.openai.answer import Answer
from planner.execution.openai.broken import broken
from planner.execution.openai.complaints import answered, excerpt, redacted
from planner.execution.openai.in_process import App
from planner.execution.openai.lines import Lines, Reply
from planner.execution.openai.refusals import ADVICE, about_messages, refused_for, words_of
from planner.execution.openai.retries import TRANSIENT, Backoff, retry_after_seconds
from planner.execution.openai.streamed import Streamed
from planner.execution.slots import Slots

_SUSPECT_AFTER = 2
"""Times that a server may answer 500 before the request itself is suspected."""
_GIVEN_UP_BEHIND = frozenset({504, 524})
"""With these a gateway says that it waits no longer for the server behind it, which may go on."""


class Wire:
    """Sends JSON to one server and gives its answers: limited, timed, tried again, and with clear errors.

    timeout_seconds bounds one try as a whole, slow bytes included. A body of more than max_body_bytes is refused
    while it comes in. Redirects are not followed: the key would go along. app: asked instead of a server.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        max_concurrency: int = 16,
        timeout_seconds: float = 120.0,
        app: App | None = None,
        backoff: Backoff | None = None,
        max_body_bytes: int = 8 * 1024 * 1024,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.address = Address.of(url)
        self.max_concurrency = max_concurrency
        self.timeout_seconds = timeout_seconds
        self._api_key = api_key
        self._lines = Lines(self.address.origin, app)
        self._headers = {"Accept": "application/json, text/event-stream", **self.address.credentials(api_key)}
        self._backoff = backoff or Backoff()
        self._max_body_bytes = max_body_bytes
        self._sleep, self._clock, self._rng = sleep, clock, rng or random.Random()  # noqa: S311 - jitter is no secret
        self._resume_at = float("-inf")
        self._slots = Slots(max_concurrency)

    def __repr__(self) -> str:
        return f"Wire({self.address.name!r})"

    async def send(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        model: str | None = None,
        suspects: bool = False,
        streamed: Callable[[], Streamed] | None = None,
    ) -> Answer:
        """The server's answer to a POST of `body` as JSON, or to a GET where there is none.

        Answers that another try would not change are returned whatever their status is (`complaint` puts them in
        words). suspects: the request holds what the server may not bear, so a second status 500 is returned too.
        streamed: makes what reads a body of events, which may have enough before its end.
        Raises EndpointUnavailable or EndpointTimeout when all tries are used up, EndpointRejected where the
        connection is not to be trusted or the body is too large.
        """
        failures = timeouts = abandoned = 0
        async with self._slots.here:
            while True:
                await self._hold_back()
                answer, asked = None, None
                try:
                    answer = await self._once(path, body, model, streamed)
                except EndpointError as error:
                    problem = error
                    abandoned += error.abandoned
                    timeouts += isinstance(error, EndpointTimeout)
                else:
                    if not _worth_another(answer) or (
                        suspects and answer.status == 500 and failures + 1 >= _SUSPECT_AFTER
                    ):
                        return replace(answer, abandoned=abandoned) if abandoned else answer
                    problem, asked = self.complaint(answer, model), answer.retry_after_seconds
                    abandoned += answer.status in _GIVEN_UP_BEHIND
                problem.abandoned = abandoned
                failures += 1
                throttled = answer is not None and answer.status == 429
                tries = self._backoff.throttled_tries if throttled else self._backoff.tries
                hopeless = isinstance(problem, EndpointRejected)
                if hopeless or failures >= tries or timeouts >= self._backoff.timeouts:
                    raise problem
                await self._wait(failures, asked, problem)

    async def read(self, path: str, *, missing: Collection[int] = ()) -> dict[str, Any]:
        """The JSON object that the server gives at a route, an empty one for a status among `missing`.

        Raises EndpointError for everything else.
        """
        answer = await self.send(path, None, suspects=True)
        if answer.status in missing:
            return {}
        if not answer.good:
            raise self.complaint(answer, None)
        data: dict[str, Any] = answer.data
        return data

    def complaint(self, answer: Answer, model: str | None) -> EndpointError:
        """An answer without success in words."""
        host, secrets = self.address.name, self._secrets()
        if 300 <= answer.status < 400:
            where = Address.shown(answer.location or "nowhere")
            return EndpointRejected(
                f"{host} redirects to {redacted(where, secrets)}; redirects are not followed, since the API key would "
                "go along: give that URL instead (PLANNER_ENDPOINT_URL)"
            )
        if (code := refused_for(answer) or about_messages(answer)) is not None:
            said = excerpt(words_of(answer).encode("utf-8", "replace") or answer.body, secrets)
            return RequestRefused(answered(host, model, answer.status, said, advice=ADVICE[code]), code=code)
        shown = excerpt(answer.body, secrets)
        if answer.status < 300:
            kind = answer.content_type or "no content type"
            return EndpointRejected(
                f"{host} answered {answer.status} with {kind} that is no JSON the planner can read: {shown!r}; "
                "check the URL, which mostly ends with /v1 (PLANNER_ENDPOINT_URL)"
            )
        kind_of_error = EndpointUnavailable if _worth_another(answer) else EndpointRejected
        return kind_of_error(answered(host, model, answer.status, shown))

    async def aclose(self) -> None:
        """Close the connections; the next request opens new ones."""
        await self._lines.aclose()

    def _secrets(self) -> tuple[str, ...]:
        return tuple(secret for secret in (self._api_key, *self.address.secrets) if secret)

    async def _hold_back(self) -> None:
        """Wait until the time that the server named to any request."""
        wait = self._resume_at - self._clock()
        if wait > 0:
            await self._sleep(wait + self._rng.uniform(0.0, 0.1 * wait))

    async def _wait(self, failures: int, asked: float | None, problem: EndpointError) -> None:
        """Wait before the next try, or raise the problem where the server asks for too long a time."""
        if asked is not None and asked > self._backoff.longest_wait_seconds:
            too_long = EndpointUnavailable(f"{problem} (it asks to wait {asked:.0f} seconds)")
            too_long.abandoned = problem.abandoned
            raise too_long from problem
        wait = self._backoff.wait_seconds(failures, asked, self._rng)
        if asked is not None:
            self._resume_at = max(self._resume_at, self._clock() + asked)
        await self._sleep(wait)

    async def _once(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        model: str | None,
        streamed: Callable[[], Streamed] | None,
    ) -> Answer:
        about = f"{self.address.name}" if model is None else f"{self.address.name}, asked for model {model!r},"
        started = self._clock()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._exchange(path, body, streamed() if streamed else None, started)
        except TimeoutError as error:
            raise EndpointTimeout(
                f"{about} did not answer within {self.timeout_seconds:g} seconds; try later, ask for fewer tokens, or "
                "raise PLANNER_REQUEST_TIMEOUT_SECONDS"
            ) from error
        except aiohttp.ClientError as error:
            problem = broken(self.address.name, about, error, self._secrets())
            problem.abandoned = int(isinstance(error, aiohttp.ClientPayloadError))  # its answer had begun
            raise problem from error

    async def _exchange(
        self, path: str, body: Mapping[str, Any] | None, streamed: Streamed | None, started: float
    ) -> Answer:
        headers, content = self._headers, None
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        method = "GET" if body is None else "POST"
        async with self._lines.exchange(method, self.address.request(path), headers=headers, content=content) as reply:
            kind = reply.headers.get("content-type")
            streamed = streamed if kind and kind.startswith("text/event-stream") else None
            read = await self._body(reply, streamed)
        return Answer.of(
            reply.status,
            read,
            content_type=kind,
            location=reply.headers.get("location"),
            retry_after_seconds=retry_after_seconds(reply.headers.get("retry-after")),
            seconds=self._clock() - started,
            assembled=None if streamed is None else streamed.data,
        )

    async def _body(self, reply: Reply, streamed: Streamed | None) -> bytes:
        chunks, size = [], 0
        async for chunk in reply.pieces:
            size += len(chunk)
            if size > self._max_body_bytes:
                too_large = EndpointRejected(
                    f"{self.address.name} answered more than {self._max_body_bytes} bytes, which were not read on; "
                    "ask for fewer completions or tokens (max_tokens)"
                )
                too_large.abandoned = 1
                raise too_large
            chunks.append(chunk)
            if streamed is not None and streamed.feed(chunk):
                break
        return b"".join(chunks)


def _worth_another(answer: Answer) -> bool:
    # A used-up quota also comes as 429, and no waiting mends it.
    return answer.status in TRANSIENT and not (answer.status == 429 and b"insufficient_quota" in answer.body)
