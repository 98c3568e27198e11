"""What a worker does beside its requests: it notices a promoted policy, and says how right the planner is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field

from planner.api import Planner
from planner.api.home import LOOK_AGAIN_SECONDS
from planner.errors import NoActivePolicy, PlannerError
from planner.service.memory import give_back
from planner.service.metrics import Metrics
from planner.service.routes.insight import production_of

LOGGER = logging.getLogger("planner.service")
FIGURES_SECONDS = 30.0
"""How often figures are taken from the store; seldomer where that takes long."""
LEAST_REST = 50
"""So many times as long as figures took, none are taken."""
LATEST_RUNS = 1000


@dataclass
class Watch:
    """Looks at the store for one service process; nobody who asks for something waits for it."""

    planner: Planner
    metrics: Metrics
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _said: str = field(default="", init=False)
    _next_figures: float = field(default=0.0, init=False)

    async def start(self) -> None:
        """Look once, and then go on looking."""
        self.planner.watched()
        await asyncio.to_thread(self.look)
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> None:
        """Serve the promoted policy; now and then set forecasts beside outcomes."""
        try:
            policy = self.planner.look_again()
            policy.warm()
            self.metrics.serving(policy.policy_id)
            if time.monotonic() >= self._next_figures:
                self._take_figures()
        except NoActivePolicy as error:
            self._say(f"nothing can be recommended yet: {error}")
        except PlannerError as error:
            self._say(f"what was served last is served on: {type(error).__name__}: {error}")
        except Exception:
            LOGGER.exception("the store could not be looked at")
        else:
            if self._said:
                self._say(f"policy {policy.policy_id} is served")
            self._said = ""

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await asyncio.to_thread(self.look)

    def _take_figures(self) -> None:
        began = time.monotonic()
        found = production_of(self.planner.store.served(limit=LATEST_RUNS, carried_out=True))
        self.metrics.value("carried_out", found.n_runs)
        if found.drift is not None:
            self.metrics.value("calibration_drift", found.drift)
        give_back()  # room for thousands of rows, which other threads' objects have settled in
        took = time.monotonic() - began
        self._next_figures = time.monotonic() + max(FIGURES_SECONDS, LEAST_REST * took)

    def _say(self, what: str) -> None:
        """Once, however often it is met."""
        if what != self._said:
            LOGGER.warning("%s", what)
        self._said = what
