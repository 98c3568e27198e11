"""Who is slow to say what it wants is let go, whatever it may be."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from execution.hostile import chat, raw
from gateway_world import ASKED, RIGHT, logged

from planner.service import guard, protocol
from planner.service.gateway import sse
from tests.in_thread import wait_until

HEAD = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connect(live, monkeypatch) -> Callable[[], socket.socket]:
    """Opens a connection to a service that waits half a second for a head, and for a body."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(guard, "BODY_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(guard, "LEAST_BYTES_A_SECOND", 1000)
    place = urlsplit(live())
    return lambda: socket.create_connection((place.hostname, place.port), timeout=10)


def dripped(line: socket.socket, piece: bytes, *, seconds: float) -> bytes:
    """What comes back while a piece is sent every tenth of a second."""
    until = time.monotonic() + seconds
    line.settimeout(0.1)
    while time.monotonic() < until:
        try:
            line.sendall(piece)
            return line.recv(4096)
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("the service waits on")


def test_a_connection_that_asks_for_nothing_is_closed(connect):
    with connect() as line:
        assert line.recv(1) == b""


def test_a_head_that_comes_in_drops_is_not_waited_for(connect):
    with connect() as line:
        line.sendall(HEAD)
        assert dripped(line, b"X-A: b\r\n", seconds=5) == b""


def test_a_second_head_is_not_waited_for_either(connect):
    with connect() as line:
        line.sendall(WHOLE)
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
        line.sendall(HEAD)
        assert dripped(line, b"X-A: b\r\n", seconds=5) == b""


def test_a_head_without_an_end_is_refused(connect):
    with connect() as line:
        line.sendall(HEAD)
        try:
            for _ in range(300):
                line.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            told = line.recv(4096)
        except ConnectionError:
            return
        assert told.startswith(b"HTTP/1.1 400") or not told


def test_a_body_that_comes_in_drops_is_refused(connect):
    with connect() as line:
        line.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        assert dripped(line, b" ", seconds=5).startswith(b"HTTP/1.1 408")


def test_a_body_that_comes_at_some_pace_is_waited_for(connect):
    with connect() as line:
        line.sendall(HEAD + b"Content-Length: 4000\r\n\r\n")
        for _ in range(10):
            line.sendall(b" " * 400)
            time.sleep(0.1)
        assert line.recv(4096).startswith(b"HTTP/1.1 422")


def test_a_connection_goes_on_after_a_pause_shorter_than_a_kept_one(connect):
    with connect() as line:
        for _ in range(2):
            line.sendall(WHOLE)
            assert line.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(0.8)


def test_a_head_that_follows_a_large_body_at_once_is_waited_for(connect):
    with connect() as line:
        line.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 100_000 + WHOLE[:20])
        told = line.recv(65_536)
        line.sendall(WHOLE[20:])
        while b"200 OK" not in told:
            piece = line.recv(65_536)
            assert piece, told
            told += piece
        assert told.startswith(b"HTTP/1.1 422")


EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "' + b"55 " * 100_000 + b'"}}]}\n\n'
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + 40 * EVENT


@pytest.mark.parametrize("act", [raw(STREAM, close=True), chat("55 " * 4_000_000)], ids=["stream", "whole"])
def test_who_takes_nothing_of_an_answer_keeps_no_other_from_the_endpoint(live, scripted, monkeypatch, act):
    monkeypatch.setattr(sse, "TAKING_SECONDS", 0.5)
    server = scripted(act, RIGHT)
    url = live(endpoint_url=server.url, max_concurrency=1)
    body = json.dumps({"model": "lab-small", "messages": ASKED, "stream": True}).encode()
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=30) as line:
        head = HEAD.replace(b"/v1/runs", b"/v1/chat/completions")
        line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: server.seen)
        answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "auto", "messages": ASKED}, timeout=15)
    assert answer.status_code == 200
    wait_until(lambda: len(logged()) == 2)
