"""What the gateway of one process holds: the endpoint that is held open, the means that are kept, what is running."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, TypeVar

from planner.api import Planner
from planner.api.running import Running
from planner.config import Settings
from planner.errors import InvalidInput, NotReady
from planner.execution.openai.tokens import TokenEstimate
from planner.service.gateway.budgets import Budgets
from planner.service.gateway.names import Names
from planner.service.gateway.upstream import NO_ENDPOINT, Upstreams
from planner.service.metrics import Metrics

LOGGER = logging.getLogger("planner.service.gateway")
CLOSE_SECONDS = 10.0
"""How long runs may take to be logged that are broken off at the end."""
T = TypeVar("T")


class Gateway:
    """One gateway; used by the tasks of one event loop."""

    def __init__(self, settings: Settings, planner: Planner, metrics: Metrics) -> None:
        """Raises InvalidInput where the settings' budget is none."""
        self.settings, self.planner, self.metrics = settings, planner, metrics
        self.budgets = Budgets(settings, planner, metrics)
        self.names = Names(settings, planner)
        self.upstreams = Upstreams(settings)
        self.estimates: defaultdict[str, TokenEstimate] = defaultdict(TokenEstimate)
        self._running: Running | None = None
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return len(self._tasks)

    async def running(self) -> Running:
        """The endpoint, held open from the first request on. Raises NotReady where none is configured."""
        if self._running is None:
            if self.settings.endpoint_url is None:
                raise NotReady(NO_ENDPOINT)
            async with self._opening:
                if self._running is None:
                    try:
                        self._running = await asyncio.to_thread(self.planner.running)
                    except InvalidInput as error:  # of the settings, not of the request
                        raise NotReady(f"the endpoint cannot be used: {error}") from error
                    self.names.serves(self._running.runner)
        return self._running

    async def open_if_configured(self) -> None:
        """Open the endpoint, if there is one."""
        if self.settings.endpoint_url is not None:
            await self.running()

    async def tracked(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns; it is waited for before the service ends."""
        if self._closing:
            work.close()
            raise NotReady("the service is about to end: ask it again when it is back")
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await work
        finally:
            self._tasks.discard(task)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what no client waits for; it is waited for before the service ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self) -> None:
        """Write the runs that are over to the store now. Raises StoreError where it cannot be reached."""
        if self._running is not None:
            await self._running.runner.log.flush()

    async def close(self, *, grace_seconds: float) -> None:
        """Wait for what is running, break off what takes longer, and write all of it to the log."""
        self._closing = True
        try:
            if self._tasks:
                LOGGER.info("%d requests are under way: they have %g s", len(self._tasks), grace_seconds)
                await asyncio.wait(list(self._tasks), timeout=grace_seconds)
            left = list(self._tasks)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=CLOSE_SECONDS)
        finally:
            await self.upstreams.aclose()
            if self._running is not None:
                await self._running.aclose()
