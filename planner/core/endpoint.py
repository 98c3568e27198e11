from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from planner.core.calls import Completion, Conventions, Generate, Verdict, Verify


class Endpoint(Protocol):
    """Where models are reached. Calls may run side by side; each raises EndpointError where nothing could be had."""

    @property
    def name(self) -> str:
        """What people call it, without secrets: a URL without user and query, or `lab`."""

    @property
    def conventions(self) -> Conventions:
        """How its models are spoken to."""

    @property
    def max_concurrency(self) -> int:
        """Requests that it takes side by side."""

    async def models(self) -> Sequence[str]:
        """Names of the models that it serves."""

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """At most `request.n` completions, at least one."""

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order."""

    async def aclose(self) -> None:
        """Let go of connections."""
