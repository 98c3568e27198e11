"""Work that is broken off when the client goes away: what nobody waits for is not paid for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from planner.errors import PlannerError
from planner.service.gateway.sse import Stream

LOGGER = logging.getLogger("planner.service.gateway")
T = TypeVar("T")


class ClientGone(Exception):
    """The client closed its connection before its answer was there."""


async def answer(stream: Stream, receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work that sends a response over the stream, for as long as the client is there.

    What goes wrong once something was sent ends the stream as an event in OpenAI's form; before that it is raised.
    receive: of a request whose body was read to its end.
    """
    try:
        await unless_gone(receive, work)
    except ClientGone:
        await stream.nobody()
    except Exception as error:
        if not stream.is_open:
            raise
        if not isinstance(error, PlannerError):
            LOGGER.exception("a stream broke off")
            error = PlannerError(f"{type(error).__name__}: the server's log has it")
        await stream.fail(error)


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work returns. Where the client goes first it is cancelled, and waited for; then raises ClientGone.

    receive: of a request whose body was read to its end.
    """
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
