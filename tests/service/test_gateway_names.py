"""Which names are known while look-ups run side by side, fail, and heal."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from execution.hostile import Seen, answering, chat_completion, delayed, silence
from gateway_world import ASKED

from planner.errors import EndpointUnavailable
from planner.service.gateway import looked_up
from planner.service.gateway.looked_up import LookedUp


class Endpoint:
    """Lists one model, if `status` is a success."""

    def __init__(self, status: int = 200) -> None:
        self.status = status

    def __call__(self, seen: Seen) -> tuple[int, object]:
        if seen.method == "POST":
            return 200, chat_completion("Answer: 55")
        listed = {"data": [{"id": "other"}]} if self.status == 200 else {"error": {"message": "waking up"}}
        return self.status, listed


def status_of(url: str, model: str = "other") -> int:
    return asked(url, model).status_code


def asked(url: str, model: str = "other") -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json={"model": model, "messages": ASKED}, timeout=30)


def test_requests_side_by_side_share_one_look_and_wait_for_it(live, scripted):
    server = scripted(delayed(0.3, answering(Endpoint())))
    url = live(endpoint_url=server.url)
    with ThreadPoolExecutor(10) as pool:
        assert [*pool.map(status_of, [url] * 10)] == [200] * 10
    assert [seen.method for seen in server.seen].count("GET") == 1


def test_a_name_that_the_endpoint_cannot_tell_of_now_is_worth_another_try(live, scripted, monkeypatch):
    monkeypatch.setattr(looked_up, "PAUSE_SECONDS", 0.5)
    endpoint = Endpoint(500)
    server = scripted(answering(endpoint))
    url = live(endpoint_url=server.url)
    answer = asked(url)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "waking up" in answer.json()["error"]["message"]
    n_looks = len(server.seen)
    assert status_of(url) == 503
    assert len(server.seen) == n_looks  # it is left in peace for a while
    assert httpx.get(f"{url}/v1/models").status_code == 200
    endpoint.status = 200
    time.sleep(0.5)
    assert status_of(url) == 200
    assert status_of(url, "none") == 404


def test_an_endpoint_that_refuses_to_list_its_models_is_told_in_its_words(live, scripted):
    url = live(endpoint_url=scripted(answering(Endpoint(403))).url)
    answer = asked(url)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
    assert "waking up" in answer.json()["error"]["message"]
    assert [status_of(url, name) for name in ("lab-small", "auto", "bon-auto")] == [200] * 3


def test_an_endpoint_that_hangs_is_not_waited_for_as_long_as_an_answer_may_take(live, scripted, monkeypatch):
    monkeypatch.setattr("planner.service.gateway.names.LOOK_SECONDS", 0.2)
    url = live(endpoint_url=scripted(silence).url)
    assert "auto" in [one["id"] for one in httpx.get(f"{url}/v1/models", timeout=5).json()["data"]]
    answer = asked(url)
    assert answer.status_code == 503
    assert "within 0.2 seconds" in answer.json()["error"]["message"]


def test_a_known_list_outlives_a_fault(live, scripted, monkeypatch):
    monkeypatch.setattr("planner.service.gateway.names.SERVED_SECONDS", 0.0)
    endpoint = Endpoint()
    url = live(endpoint_url=scripted(answering(endpoint)).url)
    assert status_of(url) == 200
    endpoint.status = 403
    assert (status_of(url, "none"), status_of(url)) == (404, 200)


def test_who_has_gone_does_not_end_the_look_of_the_others():
    async def scene() -> list[object]:
        done = asyncio.Event()

        async def look() -> str:
            await done.wait()
            return "found"

        looked = LookedUp(look, 60.0)
        first, second = asyncio.create_task(looked.get()), asyncio.create_task(looked.get())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        done.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    gone, found = asyncio.run(scene())
    assert isinstance(gone, asyncio.CancelledError)
    assert found == "found"


def test_what_is_old_will_do_meanwhile_where_that_is_said():
    async def scene() -> None:
        answers = iter(["old", "new"])
        done = asyncio.Event()

        async def look() -> str:
            answer = next(answers, None)
            if answer is None:
                raise EndpointUnavailable("away")
            if answer == "new":
                await done.wait()
            return answer

        looked = LookedUp(look, 0.0)
        assert looked.last is None
        assert await looked.get() == "old"
        renewing = asyncio.create_task(looked.get(may_be_old=True))
        await asyncio.sleep(0)
        assert await looked.get(may_be_old=True) == "old"
        done.set()
        assert await renewing == await looked.get() == "new"

    asyncio.run(scene())


def test_a_failure_is_told_only_where_nothing_is_known():
    async def look() -> str:
        raise EndpointUnavailable("away")

    looked = LookedUp(look, 60.0)
    for _ in range(2):
        with pytest.raises(EndpointUnavailable, match="away"):
            asyncio.run(looked.get())
