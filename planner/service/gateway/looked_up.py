"""Something that is looked up now and then, once for all who ask for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from planner.errors import PlannerError

PAUSE_SECONDS = 3.0
"""After a look-up that failed, before the next."""
T = TypeVar("T")


class LookedUp(Generic[T]):
    """What a look-up gave last; used by the tasks of one event loop.

    A look-up that fails changes nothing of what is known: a fault that passes shall not take anything away.
    """

    def __init__(self, look: Callable[[], Awaitable[T]], seconds: float) -> None:
        """`look` may raise PlannerError; what it gives holds for so many seconds."""
        self._look, self._seconds = look, seconds
        self._found: T | None = None
        self._failure: PlannerError | None = None
        self._next = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def last(self) -> T | None:
        """What is known without a look; None before the first that succeeded."""
        return self._found

    async def get(self, *, may_be_old: bool = False) -> T:
        """What is known, looked up where that was long ago; who asks meanwhile waits for the same look-up.

        may_be_old: what was known before will do for those who ask meanwhile.
        Raises the PlannerError of the last look-up where none has succeeded yet.
        """
        if self._task is not None:
            if self._found is None or not may_be_old:
                await asyncio.shield(self._task)
        elif time.monotonic() >= self._next:
            self._task = asyncio.create_task(self._work())
            await asyncio.shield(self._task)  # whoever began it may go: the others wait on
        if self._found is None:
            assert self._failure is not None
            raise self._failure
        return self._found

    async def _work(self) -> None:
        try:
            self._found = await self._look()
            self._next = time.monotonic() + self._seconds
        except PlannerError as error:
            self._failure = error
            self._next = time.monotonic() + PAUSE_SECONDS
        finally:
            self._task = None
