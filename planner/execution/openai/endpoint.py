from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from planner.core import Completion, Conventions, Generate, Verdict, Verify
from planner.errors import EndpointError, EndpointRejected
from planner.execution.openai.asking import Asker
from planner.execution.openai.capabilities import Capabilities, CapabilityMemory
from planner.execution.openai.payloads import Flatten, flat_prompt
from planner.execution.openai.wire import Wire
from planner.execution.verifiers.remote import RemoteVerifier
from planner.execution.verifiers.verifier import Verifier

_ROUNDS = 3
_SEEDS = 2**31


class OpenAIEndpoint:
    """Any OpenAI-compatible server: chat completions, or completions where it has no more (`core.Endpoint`).

    What the server does with a model is learned from its answers to real requests, never by requests of its own:
    choices are counted and topped up in parallel, a member that it refuses is left out and remembered (`memory`: a
    JSON file that later processes read too). Scores are asked for at `verifier_url`, else at the same server. The
    API key goes to the verifier too where it has the same origin; else `verifier_api_key` does.
    flatten: makes the completions route's prompt of a conversation. wire: options of `Wire` for both.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        verifier_url: str | None = None,
        verifier_api_key: str | None = None,
        conventions: Conventions | None = None,
        memory: Path | None = None,
        flatten: Flatten = flat_prompt,
        verifier: Verifier | None = None,
        **wire: Any,  # noqa: ANN401 - as Wire takes them
    ) -> None:
        self._wire = Wire(url, api_key=api_key, **wire)
        self._asker = Asker(self._wire, CapabilityMemory(memory), conventions or Conventions(), flatten)
        self._verifier = verifier or self._remote_verifier(verifier_url, api_key, verifier_api_key, wire)

    def __repr__(self) -> str:
        return f"OpenAIEndpoint({self.name!r})"

    @property
    def name(self) -> str:
        """The server's URL without user, password and query."""
        return self._wire.address.name

    @property
    def conventions(self) -> Conventions:
        """How its models are spoken to."""
        return self._asker.conventions

    @property
    def max_concurrency(self) -> int:
        """Requests that it takes side by side."""
        return self._wire.max_concurrency

    def capabilities(self, model: str) -> Capabilities:
        """What its answers have told so far of how it serves the model."""
        return self._asker.capabilities(model)

    async def models(self) -> Sequence[str]:
        """Names of the models that it serves, in its order; none where it has no route that lists them."""
        listed = (await self._wire.read("/models", missing=frozenset({404, 405}))).get("data")
        names = [item.get("id") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        return [name for name in names if isinstance(name, str)]

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """At most `request.n` completions, at least one.

        Raises EndpointUnavailable, EndpointTimeout or EndpointRejected where not a single one could be had.
        """
        had = _Had()
        for _ in range(_ROUNDS):
            await self._round(request, had)
            if len(had.completions) >= request.n or had.failure is not None:
                break
        if not had.completions:
            failure = had.failure or EndpointRejected(
                f"{self.name} answered without a single choice for model {request.generator!r}; check that the model "
                "writes text, and its limits"
            )
            failure.abandoned = -(-had.abandoned // request.n)
            raise failure
        if had.abandoned:
            first = had.completions[0]
            had.completions[0] = replace(first, abandoned=first.abandoned + had.abandoned)
        return tuple(had.completions)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order. Raises EndpointError where the scores could not be had."""
        return await self._verifier.verify(request)

    async def aclose(self) -> None:
        """Let go of connections; they are opened again when needed."""
        try:
            await self._wire.aclose()
        finally:
            await self._verifier.aclose()

    async def _round(self, request: Generate, had: _Had) -> None:
        """Ask side by side for all that is missing."""
        done = len(had.completions)
        most = self.capabilities(request.generator).most_choices or request.n - done
        starts = range(done, request.n, most)
        sizes = [min(most, request.n - start) for start in starts]
        parts = [self._part(request, n, start) for n, start in zip(sizes, starts, strict=True)]
        # A task of its own for a single part would take a tenth of a millisecond for nothing.
        outcomes = [await parts[0]] if len(parts) == 1 else await asyncio.gather(*parts, return_exceptions=True)
        for n, outcome in zip(sizes, outcomes, strict=True):
            if isinstance(outcome, EndpointError):
                had.failure = had.failure or outcome
                had.abandoned += n * outcome.abandoned
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                had.completions += outcome

    async def _part(self, request: Generate, n: int, start: int) -> Sequence[Completion] | EndpointError:
        try:
            return await self._asker.ask(request, n, _seed(request, start))
        except EndpointError as error:
            return error

    def _remote_verifier(
        self, url: str | None, key: str | None, verifier_key: str | None, wire: dict[str, Any]
    ) -> Verifier:
        if url is None:
            return RemoteVerifier(self.name, wire=self._wire)
        other = Wire(url)
        same = other.address.origin == self._wire.address.origin
        return RemoteVerifier(url, api_key=verifier_key or (key if same else None), **wire)


@dataclass
class _Had:
    """What a request has brought so far, and what went wrong first.

    abandoned: completions of tries that failed, which the server may have written all the same.
    """

    completions: list[Completion] = field(default_factory=list)
    failure: EndpointError | None = None
    abandoned: int = 0


def _seed(request: Generate, start: int) -> int | None:
    """A seed for the part of a request that begins at that completion: equal ones would give equal texts."""
    return None if request.seed is None else (request.seed + start) % _SEEDS
