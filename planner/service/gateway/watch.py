"""Work that is broken off when the client goes away: what nobody waits for is not paid for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from planner.errors import PlannerError
from planner.service.gateway.sse import ClientGone, Stream

LOGGER = logging.getLogger("planner.service.gateway")
T = TypeVar("T")


async def answer(stream: Stream, receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work that sends a response over the stream, for as long as the client is there.

    What goes wrong once something was sent ends the stream as an event in OpenAI's form; before that it is raised.
    receive: of a request whose body was read to its end.
    """
    try:
        await _to_its_end(stream, receive, work)
    except ClientGone:
        await stream.nobody()


async def _to_its_end(stream: Stream, receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    try:
        await unless_gone(receive, work)
    except ClientGone:
        raise
    except Exception as error:
        if not stream.is_open:
            raise
        if not isinstance(error, PlannerError):
            LOGGER.exception("a stream broke off")
            error = PlannerError(f"{type(error).__name__}: the server's log has it")
        await stream.fail(error)


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """What the work returns. Where the client goes first it is cancelled, and ended; then raises ClientGone.

    receive: of a request whose body was read to its end.
    """
    loop, watch, is_working = asyncio.get_running_loop(), asyncio.create_task(_gone(receive)), True
    try:
        async with asyncio.timeout(None) as limit:
            # Who has gone leaves no time. A task for the work, waited for beside this one, would take twice as long.
            watch.add_done_callback(lambda _: limit.reschedule(loop.time()) if is_working else None)
            try:
                return await work
            finally:
                is_working = False
    except Exception as error:
        if limit.expired():
            raise ClientGone from error
        raise
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
