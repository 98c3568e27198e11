from __future__ import annotations

from typing import Protocol

from planner.core import Verdict, Verify


class Verifier(Protocol):
    """What scores candidates. Calls may run side by side; each raises EndpointError where nothing could be had."""

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order."""

    async def aclose(self) -> None:
        """Let go of what it holds."""
