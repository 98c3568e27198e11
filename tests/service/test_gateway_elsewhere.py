"""Generators that are served elsewhere: each server has its own share of requests, and the first one its key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gateway_world import ASKED, RIGHT, held

from tests.in_thread import wait_until


def ask(url: str, model: str) -> int:
    body = {"model": model, "messages": ASKED, "planner": {"max_generations": 1}}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=10).status_code


@pytest.mark.parametrize("prefix", ["", "auto-"])
def test_a_slow_server_of_one_generator_holds_up_no_other(live, scripted, prefix):
    until = threading.Event()
    slow, first = scripted(held(until, RIGHT)), scripted(RIGHT)
    url = live(endpoint_url=first.url, endpoints={"lab-large": slow.url}, max_concurrency=2)
    with ThreadPoolExecutor() as beside:
        try:
            waiting = [beside.submit(ask, url, f"{prefix}lab-large") for _ in range(5)]
            wait_until(lambda: len(slow.seen) == 2)
            assert [ask(url, model) for model in ("lab-small", "auto-lab-small")] == [200, 200]
        finally:
            until.set()
    assert {one.result() for one in waiting} == {200}


def test_no_server_is_sent_more_requests_at_once_than_it_takes(live, scripted):
    until = threading.Event()
    slow = scripted(held(until, RIGHT))
    names = ("lab-large", "lab-reviser")
    url = live(endpoint_url=scripted(RIGHT).url, endpoints=dict.fromkeys(names, slow.url), max_concurrency=2)
    with ThreadPoolExecutor() as beside:
        try:
            waiting = [beside.submit(ask, url, name) for name in (*names, "auto-lab-large", "lab-reviser")]
            wait_until(lambda: len(slow.seen) == 2)
        finally:
            until.set()
    assert {one.result() for one in waiting} == {200}
    assert slow.most_at_once == 2


@pytest.mark.parametrize("prefix", ["", "auto-"])
def test_a_generator_that_is_named_at_the_first_server_is_asked_with_its_key(live, scripted, prefix):
    server = scripted(RIGHT)
    url = live(endpoint_url=server.url, endpoints={"lab-large": server.url}, api_key="k-1")
    assert [ask(url, f"{prefix}{name}") for name in ("lab-large", "lab-small")] == [200, 200]
    assert [one.headers.get("authorization") for one in server.seen] == ["Bearer k-1"] * 2


def test_the_key_is_shown_to_no_other_server(live, scripted):
    first, other = scripted(RIGHT), scripted(RIGHT)
    url = live(endpoint_url=first.url, endpoints={"lab-large": other.url}, api_key="k-1")
    assert [ask(url, f"{prefix}lab-large") for prefix in ("", "auto-")] == [200, 200]
    assert ["authorization" in one.headers for one in other.seen] == [False, False]
