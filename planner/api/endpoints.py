"""From what a caller names to an endpoint: a URL, `lab`, or one of the caller's own, with verifiers of other kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.config import Settings
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from planner.core import Endpoint
    from planner.execution.verifiers import Verifier

LAB = "lab"
VerifierLike = Any
"""A `Verifier`, a function `(prompt, answer) -> score`, or its name: `module:function`, `command:...`, `judge:MODEL`,
a URL."""


def open_endpoint(
    named: str | Endpoint | None,
    settings: Settings,
    *,
    verifiers: Mapping[str, VerifierLike] | None = None,
    max_concurrency: int | None = None,
    memory: Path | None = None,
) -> Endpoint:
    """The endpoint that is named, else the configured one, with its verifiers and generators that are elsewhere.

    memory: file in which is kept what servers turned out to be able to do.
    Raises InvalidInput where none is named, or a verifier cannot be used.
    """
    given = settings.endpoint_url if named is None else named
    if given is None:
        raise InvalidInput(
            "no endpoint is named: give --endpoint URL, or `lab` for the embedded models, or set PLANNER_ENDPOINT_URL"
        )
    if not isinstance(given, str) and not hasattr(given, "generate"):
        raise InvalidInput(f"endpoint: expected a URL, `lab` or an Endpoint, got {given!r:.200}")
    endpoint = _opened(given, settings, max_concurrency, memory) if isinstance(given, str) else given
    if settings.endpoints:
        from planner.execution.elsewhere import ElsewhereEndpoint  # noqa: PLC0415 - seldom

        # The key is for the first server: it is not shown to others.
        keyless = settings.model_copy(update={"api_key": None, "verifier_url": None})
        servers = {given: endpoint} if isinstance(given, str) else dict[str, Endpoint]()
        for url in settings.endpoints.values():
            servers[url] = servers.get(url) or _opened(url, keyless, max_concurrency, memory)
        endpoint = ElsewhereEndpoint(endpoint, {name: servers[url] for name, url in settings.endpoints.items()})
    if verifiers is not None and not isinstance(verifiers, Mapping):
        raise InvalidInput(f"verifiers: expected a mapping from names to verifiers, got {verifiers!r:.200}")
    named_verifiers = {**settings.verifiers, **(verifiers or {})}
    if not named_verifiers:
        return endpoint
    from planner.execution.routed import RoutedEndpoint  # noqa: PLC0415 - seldom

    limits = _limits(settings, max_concurrency)
    return RoutedEndpoint(endpoint, {name: _verifier(one, endpoint, limits) for name, one in named_verifiers.items()})


def _opened(named: str, settings: Settings, max_concurrency: int | None, memory: Path | None) -> Endpoint:
    if named == LAB:
        from planner.lab import LabEndpoint  # noqa: PLC0415 - its models are loaded when they are used

        lab: Endpoint = LabEndpoint(max_concurrency=max_concurrency)
        return lab
    from planner.core import Conventions  # noqa: PLC0415 - nothing of it is needed to plan
    from planner.execution.openai import OpenAIEndpoint  # noqa: PLC0415 - aiohttp is no part of planning

    key = settings.api_key
    return OpenAIEndpoint(
        named,
        conventions=Conventions(**settings.conventions.model_dump(exclude_none=True)),
        api_key=None if key is None else key.get_secret_value(),
        verifier_url=settings.verifier_url,
        memory=memory,
        **_limits(settings, max_concurrency),
    )


def _limits(settings: Settings, max_concurrency: int | None) -> dict[str, Any]:
    """How many requests a server is sent side by side, and how long each is waited for."""
    return {
        "max_concurrency": max_concurrency or settings.max_concurrency,
        "timeout_seconds": settings.request_timeout_seconds,
    }


def _verifier(given: VerifierLike, endpoint: Endpoint, limits: Mapping[str, Any]) -> Verifier:
    from planner.execution.functions import is_function_name  # noqa: PLC0415 - as above
    from planner.execution.verifiers import (  # noqa: PLC0415
        CallableVerifier,
        CommandVerifier,
        JudgeVerifier,
        RemoteVerifier,
    )

    if not isinstance(given, str):
        if hasattr(given, "verify"):
            verifier: Verifier = given
            return verifier
        if callable(given):
            return CallableVerifier(given)
        raise InvalidInput(f"{given!r} is no verifier: give a function (prompt, answer) -> score, or its name")
    makers: dict[str, Callable[[str], Verifier]] = {
        "command:": CommandVerifier,
        "judge:": lambda rest: JudgeVerifier(endpoint, rest),
        "http:": lambda rest: RemoteVerifier(f"http:{rest}", **limits),
        "https:": lambda rest: RemoteVerifier(f"https:{rest}", **limits),
    }
    for prefix, make in makers.items():
        if given.startswith(prefix):
            return make(given.removeprefix(prefix))
    if is_function_name(given):
        return CallableVerifier(given)
    raise InvalidInput(f"verifier {given!r}: write module:function, command:PROGRAM, judge:MODEL or a URL")
