"""Responses reach the client whole, in few writes."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from planner.service.protocol import MOST_BYTES, JoinedWrites, Protocol
from tests.in_thread import served

LARGE = 40 * MOST_BYTES


class Taken:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def joined(*, work):
    async def run() -> Taken:
        taken = Taken()
        await work(JoinedWrites(taken, asyncio.get_running_loop()))
        return taken

    return asyncio.run(run())


def test_what_is_written_in_one_turn_goes_out_together():
    async def work(transport):
        transport.write(b"head")
        transport.write(b" body")
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)

    assert joined(work=work).written == [b"head body", b"next"]


def test_much_is_written_at_once():
    async def work(transport):
        for _ in range(4):
            transport.write(bytes(MOST_BYTES // 2))
        assert [len(one) for one in transport.written] == [MOST_BYTES] * 2

    joined(work=work)


def test_all_is_written_before_the_end_and_nothing_after_it():
    async def work(transport):
        transport.write(b"last")
        transport.close()
        transport.write(b"late")
        await asyncio.sleep(0)

    assert joined(work=work).written == [b"last"]


async def _pieces():
    for number in range(40):
        yield bytes([number]) * MOST_BYTES
        if number % 8 == 0:
            await asyncio.sleep(0)


APP = Starlette(
    routes=[
        Route("/short", lambda _: PlainTextResponse("short")),
        Route("/large", lambda _: PlainTextResponse(b"x" * LARGE)),
        Route("/pieces", lambda _: StreamingResponse(_pieces())),
    ]
)


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_responses_come_whole_over_one_connection(loop):
    with served(APP, http=Protocol, loop=loop) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert client.get("/short").text == "short"
            assert client.head("/short").headers["content-length"] == "5"
            assert len(client.get("/large").content) == LARGE
            assert len(client.get("/pieces").content) == LARGE
        assert client.get("/short", headers={"Connection": "close"}).text == "short"
        assert client.get("/none").status_code == 404
