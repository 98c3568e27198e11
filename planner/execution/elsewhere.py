from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.core import Completion, Conventions, Endpoint, Generate, Verdict, Verify


class ElsewhereEndpoint:
    """One endpoint made of several: named generators are served elsewhere, all else by the first."""

    def __init__(self, first: Endpoint, elsewhere: Mapping[str, Endpoint]) -> None:
        self._first = first
        self._elsewhere = dict(elsewhere)

    @property
    def name(self) -> str:
        """Name of the first."""
        return self._first.name

    @property
    def conventions(self) -> Conventions:
        """How the models of the first are spoken to, and so all."""
        return self._first.conventions

    @property
    def max_concurrency(self) -> int:
        """Requests that they take side by side, all together."""
        return self._first.max_concurrency + sum(one.max_concurrency for one in self._elsewhere.values())

    async def models(self) -> Sequence[str]:
        """Names of the models of the first, then those served elsewhere."""
        served = await self._first.models()
        return [*served, *(name for name in self._elsewhere if name not in served)]

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """As the server of the generator does."""
        return await self._elsewhere.get(request.generator, self._first).generate(request)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """As the first does."""
        return await self._first.verify(request)

    async def aclose(self) -> None:
        """Let go of all."""
        for endpoint in (self._first, *self._elsewhere.values()):
            await endpoint.aclose()
