"""Where a server does not bear stop texts, its answer is streamed and left at the first of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hostile import Act, Seen, raw, reply
from hypothesis import given
from hypothesis import strategies as st
from serving import question, serving

from planner.core import Completion
from planner.execution.openai.capabilities import Capabilities
from planner.execution.openai.streamed import Streamed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
USAGE = {"prompt_tokens": 8, "completion_tokens": 6}


def event(text: str, *, index: int = 0, end: str | None = None, **more: Any) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": end}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\r\n\r\n"


def streaming(*events: bytes, endless: bool = False, refuse: tuple[str, ...] = ("stop",)) -> Act:
    """A server that refuses `stop` and streams these events where a stream is asked for."""

    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if named := [name for name in refuse if name in seen.body]:
            await reply({"error": {"message": f"{named[0]} is not supported"}}, status=400)(seen, writer)
            return
        assert seen.body["stream"]
        writer.write(HEAD + b": a comment\n" + b"".join(events))
        await writer.drain()
        if endless:
            await asyncio.sleep(3600)
        await raw(b"", close=True)(seen, writer)

    return act


def ask(act: Act, **request: Any) -> tuple[tuple[Completion, ...], Capabilities]:
    async def run() -> tuple[tuple[Completion, ...], Capabilities]:
        async with serving(act, timeout_seconds=30) as (endpoint, _):
            said = await endpoint.generate(question(**{"stop": ("\n",), **request}))
            return said, endpoint.capabilities("m")

    return asyncio.run(run())


def test_what_follows_the_stop_text_is_not_waited_for():
    (said,), known = ask(streaming(event("one"), event(" two\nth"), event("ree"), endless=True))
    assert (said.text, said.finish, said.ended, said.estimated) == ("one two", "stop", False, True)
    assert known == Capabilities(stop=False)


def test_every_choice_is_waited_for():
    events = (event("a\n"), event("b", index=1), event("a2"), event("c\n", index=1))
    said, _ = ask(streaming(*events, endless=True), n=2)
    assert [each.text for each in said] == ["a", "bc"]


def test_an_answer_that_ends_by_itself_has_its_end_and_its_usage():
    (said,), _ = ask(streaming(event("one"), event(" two", end="stop"), event("", usage=USAGE), b"data: [DONE]\n\n"))
    assert (said.text, said.ended, said.completion_tokens, said.estimated) == ("one two", True, 6, False)


def test_an_answer_that_reaches_its_limit_is_cut_off():
    (said,), _ = ask(streaming(event("one"), event(" two", end="length")))
    assert (said.text, said.finish) == ("one two", "length")


def test_a_stream_that_breaks_off_is_an_answer_that_failed():
    (said,), _ = ask(streaming(event("one"), event(" two")))
    assert (said.text, said.finish) == ("one two", "error")


def test_a_server_that_streams_neither_is_let_write_to_the_end():
    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if not {"stop", "stream"} & seen.body.keys():
            answer = {"choices": [{"message": {"content": "one\ntwo"}}], "usage": USAGE}
            await reply(answer)(seen, writer)
        else:
            name = "stop" if "stop" in seen.body else "stream"
            await reply({"error": {"message": f"{name} is not supported"}}, status=400)(seen, writer)

    (said,), known = ask(act)
    assert (said.text, said.completion_tokens) == ("one", 6)
    assert known == Capabilities(stop=False, stream=False)


def test_a_prefix_that_is_said_again_does_not_end_the_step():
    prefix = "First, take 3 from 10.\nThat is 7.\n"
    pieces = [prefix[:12], prefix[12:25], prefix[25:], "Then add 1.", "\n", "More"]
    (said,), _ = ask(streaming(*map(event, pieces), endless=True), prefix=prefix)
    assert said.text == "Then add 1."


@given(st.text(alphabet="aä\n", max_size=30), st.integers(1, 7), st.integers(1, 9))
def test_pieces_come_to_the_same_text_however_they_are_cut(text: str, piece: int, packet: int):
    events = b"".join(event(text[at : at + piece]) for at in range(0, len(text), piece)) + event("", end="stop")
    streamed = Streamed(1, lambda _: False)
    for at in range(0, len(events), packet):
        streamed.feed(events[at : at + packet])
    assert streamed.data["choices"] == [{"message": {"content": text}, "finish_reason": "stop"}]


@pytest.mark.parametrize("line", [b"data: {", b"data: 1", b"data: {}", b'data: {"choices": [3]}', b"event: x", b"\xff"])
def test_events_that_say_nothing_are_passed_over(line: bytes):
    streamed = Streamed(1, lambda _: False)
    assert not streamed.feed(line + b"\n")
    assert streamed.data == {"choices": [], "usage": None}


def test_an_error_in_place_of_events_is_told():
    streamed = Streamed(1, lambda _: False)
    assert streamed.feed(b'data: {"error": {"message": "no", "code": 503}}\n\n')
    assert streamed.data == {"error": {"message": "no", "code": 503}}
