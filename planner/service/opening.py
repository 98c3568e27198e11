"""A worker's start, also while the database is away."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import time

from planner.api import Planner
from planner.config import Settings
from planner.errors import StoreError
from planner.service.fitting import Fits

LOGGER = logging.getLogger("planner.service")
PATIENCE_SECONDS = 10.0
"""A process that is told to end while it starts can do so only after this."""


async def opened(settings: Settings, planner: Planner | None) -> tuple[Planner, Fits]:
    """The planner of this process (`planner` if it is given) and its fits, with those of ended processes settled.

    One of several workers waits for a database that is away. Raises StoreError in a process that stands alone.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await asyncio.to_thread(_open, settings, planner)
        except StoreError as error:
            if multiprocessing.parent_process() is None:
                raise
            LOGGER.warning("a worker waits for the store: %s", error)
        if time.monotonic() > end:
            # Any end but this would be a failed start, for which the supervisor ends the workers that serve, too.
            os._exit(os.EX_TEMPFAIL)
        await asyncio.sleep(1)


def _open(settings: Settings, planner: Planner | None) -> tuple[Planner, Fits]:
    own = planner or Planner.open(settings=settings)
    try:
        fits = Fits(settings, own)
        fits.settle()
    except BaseException:
        if planner is None:
            own.close()
        raise
    return own, fits
