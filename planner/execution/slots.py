"""How many at once, for objects that outlive an event loop."""

from __future__ import annotations

import asyncio


class Slots:
    """Lets `most` in at once; used within one event loop at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._semaphore = asyncio.Semaphore(most)

    @property
    def here(self) -> asyncio.Semaphore:
        """The semaphore of the event loop that runs."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a semaphore belongs to one of them; each asyncio.run has its own
            self._loop, self._semaphore = loop, asyncio.Semaphore(self._most)
        return self._semaphore
