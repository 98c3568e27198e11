"""Fits in the background."""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from planner import Planner
from planner.artifacts.turn import turn
from planner.config import Settings
from planner.errors import StoreError
from planner.service.app import create_app
from planner.service.fitting import BROKEN_OFF
from planner.service.gateway.gateway import Gateway

PATIENCE_SECONDS = 240.0
"""For a fit beside which a machine may do much else."""


def wait_for(client, fit_id: str) -> dict:
    until = time.monotonic() + PATIENCE_SECONDS
    while (found := client.get(f"/v1/fits/{fit_id}").json())["status"] == "running":
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def test_a_fit_runs_in_the_background_and_tells_its_end(client):
    answer = client.post("/v1/fits", json={"seed": 1})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert answer.headers["location"] == f"/v1/fits/{answer.json()['fit_id']}"
    assert client.post("/v1/fits", json={}).status_code == 409
    ended = wait_for(client, answer.json()["fit_id"])
    assert (ended["status"], ended["error"]) == ("done", None)
    assert ended["policy_id"] in {one["policy_id"] for one in client.get("/v1/policies").json()["policies"]}


def test_a_fit_of_nothing_fails_in_words(client):
    fit_id = client.post("/v1/fits", json={"datasets": ["nope"]}).json()["fit_id"]
    ended = wait_for(client, fit_id)
    assert ended["status"] == "failed"
    assert ended["error"].startswith("NotEnoughData: ")


def test_a_generator_that_is_left_out_has_to_be_logged(client):
    fit_id = client.post("/v1/fits", json={"exclude_generators": ["nobody"]}).json()["fit_id"]
    assert "no generator 'nobody' is logged" in wait_for(client, fit_id)["error"]


def test_a_fit_whose_process_was_lost_stands_as_failed_after_a_restart(home, serve):
    with Planner.open() as planner:
        planner.store.start_fit("lost", {"seed": 0})
    found = serve().get("/v1/fits/lost").json()
    assert (found["status"], "process" in found["error"]) == ("failed", True)


def test_a_fit_of_another_process_goes_on_while_the_service_starts(home, serve):
    with Planner.open() as planner:
        planner.store.start_fit("other", {"seed": 0})
        with turn(planner.artifacts.root, "other") as report:
            report(1, 4, "holding prompts out")
            client = serve()
            found = client.get("/v1/fits/other").json()
            assert (found["status"], found["share"], found["stage"]) == ("running", 0.25, "holding prompts out")
            assert client.post("/v1/fits", json={}).status_code == 409


def test_a_fit_whose_process_is_killed_stands_as_failed_and_the_next_may_begin(client):
    fit_id = client.post("/v1/fits", json={}).json()["fit_id"]
    (process,) = multiprocessing.active_children()
    process.kill()
    ended = wait_for(client, fit_id)
    assert (ended["status"], "process" in ended["error"]) == ("failed", True)
    assert client.post("/v1/fits", json={}).status_code == 202


def test_a_fit_that_another_worker_has_just_begun_is_not_joined_by_a_second_one(client):
    with Planner.open() as planner:
        planner.store.start_fit("other", {"seed": 0})  # it loads libraries, and holds no turn yet
        answer = client.post("/v1/fits", json={})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:planner:problem:not-ready")
        assert [row.fit_id for row in planner.store.fits() if row.status == "running"] == ["other"]


@pytest.mark.parametrize(("minutes", "status"), [(0, "running"), (5, "failed")])
def test_a_fit_of_another_process_is_lost_where_nobody_fits_and_it_had_time_to_load(client, minutes, status):
    with Planner.open() as planner:
        planner.store.start_fit("other", {"seed": 0})
        began = datetime.now(UTC) - timedelta(minutes=minutes)
        with planner.store.database.writing() as connection:
            connection.execute(text("UPDATE fits SET started_at = :began"), {"began": f"{began:%Y-%m-%d %H:%M:%S.%f}"})
        with turn(planner.artifacts.root, "other"):
            assert client.get("/v1/fits/other").json()["status"] == "running"
        assert client.get("/v1/fits/other").json()["status"] == status


def test_an_end_ends_the_fit_also_where_the_gateways_log_cannot_be_written(home, monkeypatch):
    async def away(_, *, grace_seconds):
        raise StoreError(f"the store was away for {grace_seconds:g} seconds")

    monkeypatch.setattr(Gateway, "close", away)
    client = TestClient(create_app(Settings.load()), base_url="http://127.0.0.1")
    client.__enter__()
    fit_id = client.post("/v1/fits", json={}).json()["fit_id"]
    made = client.post("/v1/recommendations", json={"prompt": "How many?", "budget": {"max_generations": 4}}).json()
    with pytest.raises(StoreError, match="was away"):
        client.__exit__(None, None, None)
    assert not multiprocessing.active_children()
    with Planner.open() as planner:
        ended = next(row for row in planner.store.fits() if row.fit_id == fit_id)
        assert (ended.status, ended.error) == ("failed", BROKEN_OFF)
        assert planner.store.recommendation(made["recommendation_id"]) is not None


def test_an_unknown_fit_is_404(client):
    assert client.get("/v1/fits/nope").status_code == 404
