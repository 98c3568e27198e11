"""Work for a client is broken off when the client goes, and only then."""

from __future__ import annotations

import asyncio

import pytest

from planner.service.gateway.watch import ClientGone, unless_gone


class Client:
    """Goes away when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def broken_off(told: list[str], *, fails: bool = False) -> None:
    """Work that takes long; says when it has ended."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        told.append("ended")
        if fails:
            raise ValueError("at its end")


def test_what_the_work_returns_is_returned():
    async def run() -> str:
        return await unless_gone(Client().receive, asyncio.sleep(0.01, "done"))

    assert asyncio.run(run()) == "done"


@pytest.mark.parametrize("fails", [False, True])
def test_work_has_ended_when_the_client_is_said_to_be_gone(fails):
    async def run() -> list[str]:
        client, told = Client(), []
        asyncio.get_running_loop().call_later(0.01, client.leaves.set)
        with pytest.raises(ClientGone):
            await unless_gone(client.receive, broken_off(told, fails=fails))
        await asyncio.sleep(0)  # nothing of it is left to break off what follows
        return told

    assert asyncio.run(run()) == ["ended"]


def test_who_ends_the_service_breaks_off_the_work_as_well():
    async def run() -> list[str]:
        told: list[str] = []
        task = asyncio.create_task(unless_gone(Client().receive, broken_off(told)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return told

    assert asyncio.run(run()) == ["ended"]


def test_a_client_that_goes_once_all_is_done_breaks_off_nothing():
    async def run() -> str:
        client = Client()

        async def work() -> str:
            client.leaves.set()
            return "done"

        result = await unless_gone(client.receive, work())
        await asyncio.sleep(0.01)
        return result

    assert asyncio.run(run()) == "done"
