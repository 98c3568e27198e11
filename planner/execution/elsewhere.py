from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.core import Completion, Conventions, Endpoint, Generate, Verdict, Verify


class ElsewhereEndpoint:
    """One endpoint made of several: named generators are served elsewhere, all else by the first."""

    def __init__(self, first: Endpoint, elsewhere: Mapping[str, Endpoint]) -> None:
        self.first = first
        self.elsewhere = dict(elsewhere)

    @property
    def name(self) -> str:
        """Name of the first."""
        return self.first.name

    @property
    def conventions(self) -> Conventions:
        """How the models of the first are spoken to, and so all."""
        return self.first.conventions

    @property
    def max_concurrency(self) -> int:
        """Requests that they take side by side, all together."""
        return sum(one.max_concurrency for one in self._servers)

    async def models(self) -> Sequence[str]:
        """Names of the models of the first, then those served elsewhere."""
        served = await self.first.models()
        return [*served, *(name for name in self.elsewhere if name not in served)]

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """As the server of the generator does."""
        return await self.elsewhere.get(request.generator, self.first).generate(request)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """As the first does."""
        return await self.first.verify(request)

    async def aclose(self) -> None:
        """Let go of all."""
        for endpoint in self._servers:
            await endpoint.aclose()

    @property
    def _servers(self) -> list[Endpoint]:
        """Each once: several generators may be served by one."""
        return list({id(one): one for one in (self.first, *self.elsewhere.values())}.values())
