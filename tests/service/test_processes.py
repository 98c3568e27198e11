"""Real processes of `planner serve`: a policy that is promoted, an end in the middle of work, and what is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from planner import Planner
from tests.bench.load import worker_pids
from tests.serving import Service, running

PROMPT = "Start with 11. Multiply by 5. How many now?"
SECRET = "Pssst-nobody-may-read-this"
BUDGET = {"max_generations": 4}


@pytest.fixture(scope="module")
def two_workers(fitted_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A server of two processes over a copy of the fitted folder."""
    home = tmp_path_factory.mktemp("two") / "home"
    shutil.copytree(fitted_home, home)
    with running(home, workers=2) as service:
        yield service, home


def served_by(service: Service) -> str:
    """Which policy answers; each time over a new connection, so that any worker may take it."""
    return httpx.post(f"{service.url}/v1/recommendations", json={"prompt": PROMPT, "budget": BUDGET}).json()[
        "policy_id"
    ]


def counted(service: Service) -> float:
    page = httpx.get(f"{service.url}/metrics").text
    found = re.search(r'requests_total{method="POST",route="/v1/recommendations",status="200"} (\S+)', page)
    return float(found[1]) if found else 0.0


def test_figures_are_those_of_all_workers_together(two_workers):
    service, _ = two_workers
    before = counted(service)
    for _ in range(20):
        served_by(service)
    assert [counted(service) - before for _ in range(6)] == [20] * 6


def test_a_worker_that_is_killed_comes_back(two_workers):
    service, _ = two_workers
    pids = set(worker_pids(service.process.pid))
    os.kill(min(pids), signal.SIGKILL)
    service.wait(lambda: len(set(worker_pids(service.process.pid)) - pids) == 1)
    service.wait(lambda: httpx.get(f"{service.url}/readyz").status_code == 200)


def test_a_promoted_policy_is_served_by_every_worker_within_seconds(two_workers):
    service, home = two_workers
    with Planner.open(f"sqlite:///{home / 'planner.db'}") as planner:
        old = planner.policy.policy_id
        new = planner.fit(seed=1).policy_id
        planner.promote(new)
    time.sleep(5)
    assert new != old
    assert {served_by(service) for _ in range(20)} == {new}
    page = httpx.get(f"{service.url}/metrics").text
    assert f'planner_policy_info{{policy_id="{new}"}} 1.0' in page
    assert f'planner_policy_info{{policy_id="{old}"}} 1.0' not in page


def test_what_one_worker_has_just_recommended_every_worker_tells(two_workers):
    service, _ = two_workers
    with httpx.Client() as asking:
        for _ in range(10):
            made = asking.post(f"{service.url}/v1/recommendations", json={"prompt": PROMPT, "budget": BUDGET}).json()
            found = httpx.get(f"{service.url}/v1/recommendations/{made['recommendation_id']}")
            assert (found.status_code, found.json()) == (200, made)
    assert httpx.get(f"{service.url}/v1/recommendations/nobody-made-it").status_code == 404


def test_an_end_waits_for_what_is_running_and_stores_what_was_served(home):
    body = json.dumps({"run_id": "late", "prompt": PROMPT, "generator": "lab-small"}).encode()
    head = f"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with running(home) as service:
        made = httpx.post(f"{service.url}/v1/recommendations", json={"prompt": PROMPT, "budget": BUDGET}).json()
        with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=30) as asking:
            asking.sendall(f"{head}\r\n\r\n".encode() + body[:-1])
            served_by(service)  # by when this is answered, the half request is being served
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            asking.sendall(body[-1:])
            answer = asking.recv(65536)
        service.process.wait(30)
    assert answer.startswith(b"HTTP/1.1 201 ")
    with Planner.open() as planner:
        assert planner.store.has_run("late")
        assert planner.store.recommendation(made["recommendation_id"]) is not None


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_an_end_breaks_off_the_fit_that_is_running_and_says_so(home, told):
    with running(home) as service:
        fit_id = httpx.post(f"{service.url}/v1/fits", json={}).json()["fit_id"]
        service.wait(lambda: (httpx.get(f"{service.url}/v1/fits/{fit_id}").json()["share"] or 0) > 0)
        # Ctrl-C in a terminal reaches the fit's process as well.
        for pid in [*(worker_pids(service.process.pid) if told == signal.SIGINT else ()), service.process.pid]:
            os.kill(pid, told)
        service.process.wait(30)
    assert (
        f"WARNING planner.service fit {fit_id} is broken off by the server's shutdown" in service.log_file.read_text()
    )
    with Planner.open() as planner:
        ended = planner.store.fits()[0]
    assert (ended.fit_id, ended.status, ended.error) == (fit_id, "failed", "broken off by the server's shutdown")


def test_logs_are_json_lines_with_the_id_of_their_request(home):
    with running(home, env={"PLANNER_LOG_FORMAT": "json"}) as service:
        httpx.post(
            f"{service.url}/v1/recommendations", json={"prompt": SECRET, "budget": BUDGET},
            headers={"X-Request-Id": "mine-1"},
        )  # fmt: skip
        service.end()
    text = service.log_file.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request_id") == "mine-1"]
    assert [(line["status"], line["logger"]) for line in mine] == [(200, "planner.service.access")]
    assert SECRET not in text


def test_no_text_is_stored_if_it_shall_not_be(home):
    run = {
        "run_id": "r1", "prompt": SECRET, "generator": "lab-small", "selection": "first", "answer": "55",
        "samples": [{"answer": "55", "text": f"{SECRET} is what was asked"}],
    }  # fmt: skip
    with running(home, env={"PLANNER_STORE_PROMPT_TEXT": "0"}) as service:
        ask = {"budget": BUDGET, "metadata": {"level": 3}}
        assert httpx.post(f"{service.url}/v1/recommendations", json=ask | {"prompt": SECRET}).status_code == 200
        many = {"prompts": [f"{SECRET} {i}" for i in range(20)], "budget": BUDGET}
        assert httpx.post(f"{service.url}/v1/recommendations", json=many).status_code == 200
        assert httpx.post(f"{service.url}/v1/runs", json=run).status_code == 201
        service.end()
    with sqlite3.connect(home / "planner.db") as connection:
        assert connection.execute("SELECT count(*) FROM recommendations").fetchone() == (21,)
    connection.close()
    for file in home.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
