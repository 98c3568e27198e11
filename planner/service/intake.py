"""Runs that clients log: requests side by side are written as one transaction, since each commit waits for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from planner.api import Planner
from planner.core import Run
from planner.core.batch import Written
from planner.errors import StoreError
from planner.store.rows import as_batch

LOGGER = logging.getLogger("planner.service")
MOST_RUNS = 1_000
"""So many runs, or one request's, are one transaction: while it is written, those who come next are read."""


@dataclass
class Intake:
    """Writes the runs of one service process, in a thread. Used by the tasks of one event loop.

    The runs of an hour are one import, whichever worker took them: `planner logs undo` takes them out again.
    What they say otherwise than the store does is left out, and the first of it in an hour stands in the server's log.
    """

    planner: Planner
    _waiting: list[tuple[Sequence[Run], asyncio.Future[Written]]] = field(default_factory=list, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _warned: str = field(default="", init=False)

    async def add(self, runs: Sequence[Run]) -> Written:
        """Log runs, all or none; they are stored when this returns. Raises BadLog and StoreError."""
        written: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((runs, written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await written

    async def close(self) -> None:
        """Wait until all that was given is written."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while self._waiting:
            group = self._next()
            outcomes = await asyncio.to_thread(self._write, [runs for runs, _ in group])
            for (_, written), outcome in zip(group, outcomes, strict=True):
                if written.cancelled():  # its client is gone; the runs are stored all the same
                    continue
                if isinstance(outcome, Written):
                    written.set_result(outcome)
                else:
                    written.set_exception(outcome)

    def _next(self) -> list[tuple[Sequence[Run], asyncio.Future[Written]]]:
        n_requests = n_runs = 0
        for runs, _ in self._waiting:
            n_runs += len(runs)
            if n_runs > MOST_RUNS and n_requests:
                break
            n_requests += 1
        group, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
        return group

    def _write(self, requests: Sequence[Sequence[Run]]) -> list[Written | Exception]:
        """What became of each request. One that cannot be stored takes no other with it."""
        try:
            written = self._store(list(chain.from_iterable(requests)), new=len(requests) > 1)
        except StoreError as error:
            return [error] * len(requests)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to one of them, who gets it
            if len(requests) == 1:
                return [error]
            return list(chain.from_iterable(self._write([runs]) for runs in requests))
        if len(requests) == 1:
            return [written]
        return [Written(len(runs), sum(len(run.samples) for run in runs)) for runs in requests]

    def _store(self, runs: Sequence[Run], *, new: bool) -> Written:
        """Write runs as one transaction; if all of them have to be `new`, raise _Known where one is not."""
        hour = f"service-{datetime.now(UTC):%Y%m%d-%H}"
        with self.planner.store.begin_import(
            source="service", import_id=hour, store_prompt_text=self.planner.settings.store_prompt_text
        ) as session:
            written = session.write(as_batch(runs))
            if new and written.duplicates:
                raise _Known
            warnings = () if hour == self._warned else session.warnings()
        if warnings:  # whoever differs once mostly does so at every request
            self._warned = hour
            for warning in warnings:
                LOGGER.warning("of runs that are logged over HTTP: %s", warning)
        return written


class _Known(Exception):
    """Of several requests' runs one was known: each by itself says what of it was."""
