"""What is written behind an answer: whoever asks for it at once waits for it, and is not told that it is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

PAUSE_SECONDS = 0.05
T = TypeVar("T")


async def soon(look: Callable[[], T], may_come: Callable[[], bool], *, seconds: float) -> T:
    """What `look` finds, as soon as it finds something, for so long as it may still come; else what it found last.

    Both are called in threads; they may raise StoreError.
    """
    until = time.monotonic() + seconds
    while not (found := await run_in_threadpool(look)):
        is_due = await run_in_threadpool(may_come)
        if not is_due or time.monotonic() > until:
            return await run_in_threadpool(look)  # it may have come since
        await asyncio.sleep(PAUSE_SECONDS)
    return found
