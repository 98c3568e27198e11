"""How many requests each server is sent at once: what waits for one of them holds up nothing that another would do."""

from __future__ import annotations

import asyncio

from planner.core import Endpoint, Generate, Request
from planner.execution.elsewhere import ElsewhereEndpoint
from planner.execution.routed import RoutedEndpoint


class ServerSlots:
    """A semaphore for each server of an endpoint; used by the tasks of one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        """As many requests at each as it takes side by side."""
        generators = endpoint.generators if isinstance(endpoint, RoutedEndpoint) else endpoint
        first, elsewhere = generators, dict[str, Endpoint]()
        if isinstance(generators, ElsewhereEndpoint):
            first, elsewhere = generators.first, dict(generators.elsewhere)
        # Generators that one server serves share its slots.
        servers = {id(one): asyncio.Semaphore(one.max_concurrency) for one in (first, *elsewhere.values())}
        self._first = servers[id(first)]
        self._elsewhere = {name: servers[id(one)] for name, one in elsewhere.items()}

    def of(self, request: Request) -> asyncio.Semaphore:
        """The semaphore for a request."""
        return self.of_generator(request.generator) if isinstance(request, Generate) else self._first

    def of_generator(self, name: str) -> asyncio.Semaphore:
        """The semaphore for whatever is asked of a generator."""
        return self._elsewhere.get(name, self._first)
