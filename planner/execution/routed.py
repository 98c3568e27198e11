from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from planner.core import Completion, Conventions, Endpoint, Generate, Verdict, Verify
from planner.execution.verifiers.verifier import Verifier


class RoutedEndpoint:
    """One endpoint made of a server of generators and verifiers of other kinds, by name.

    A verifier that is not named here is asked for at the server of the generators.
    """

    def __init__(self, generators: Endpoint, verifiers: Mapping[str, Verifier] = MappingProxyType({})) -> None:
        self.generators = generators
        self.verifiers = dict(verifiers)

    @property
    def name(self) -> str:
        """Name of the server of the generators."""
        return self.generators.name

    @property
    def conventions(self) -> Conventions:
        """How the generators are spoken to."""
        return self.generators.conventions

    @property
    def max_concurrency(self) -> int:
        """Requests that the generators take side by side."""
        return self.generators.max_concurrency

    async def models(self) -> Sequence[str]:
        """Names of the generators' models, then those of the verifiers."""
        served = await self.generators.models()
        return [*served, *(name for name in self.verifiers if name not in served)]

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """As the generators' server does."""
        return await self.generators.generate(request)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """As the verifier of that name does, else the generators' server."""
        verifier: Verifier = self.verifiers.get(request.verifier, self.generators)
        return await verifier.verify(request)

    async def aclose(self) -> None:
        """Let go of all."""
        try:
            await self.generators.aclose()
        finally:
            for verifier in self.verifiers.values():
                await verifier.aclose()
