"""A database that goes away, and comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from planner import Planner
from planner.store import Store
from planner.store.engine import Database
from planner.store.schema import create_schema
from tests.bench.load import worker_pids
from tests.postgres import NoPostgres, PostgresServer
from tests.serving import running

ASK = {"prompt": "Start with 11. Multiply by 5. How many now?", "budget": {"max_generations": 4}}
RUN = {"run_id": "r1", "prompt": "How many?", "generator": "lab-small"}


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgres`)")
    try:
        server = PostgresServer()
    except NoPostgres as why:
        pytest.skip(str(why))
    with server:
        yield server


def store_with_policy(server: PostgresServer, home) -> str:
    """URL of a store on the server that serves the policy of the fitted folder."""
    url = server.new_database()
    made = Database(url)
    create_schema(made)
    made.close()
    with Planner.open(f"sqlite:///{home / 'planner.db'}") as planner:
        policy = planner.policies()[0]
    with Store.open(url) as store:
        store.add_policy(policy.policy_id, artifact_path=policy.artifact_path, summary={})
        store.promote_policy(policy.policy_id, reason="a test")
    return url


def test_recommendations_go_on_while_the_database_is_away_and_are_stored_when_it_is_back(database, home, serve):
    url = store_with_policy(database, home)
    client = serve(database_url=url, artifact_dir=home / "planner-artifacts")
    assert client.get("/readyz").json() | {"policy": ""} == {"ready": True, "store": "ok", "policy": ""}

    database.stop()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["store"]) == (503, "StoreError")
    logged = client.post("/v1/runs", json=RUN)
    assert (logged.status_code, logged.headers["retry-after"]) == (503, "1")
    served = client.post("/v1/recommendations", json=ASK)
    assert served.status_code == 200
    time.sleep(1.5)  # by now it was tried to store it

    database.start()
    assert client.get("/readyz").status_code == 200
    assert client.post("/v1/runs", json=RUN).status_code == 201
    found = client.get(f"/v1/recommendations/{served.json()['recommendation_id']}")
    assert found.json() == served.json()


def test_a_worker_cannot_start_without_its_database_but_says_why(database, home, serve):
    url = store_with_policy(database, home)
    database.stop()
    with pytest.raises(Exception, match="check that the server runs"):
        serve(database_url=url, artifact_dir=home / "planner-artifacts")


def test_a_worker_that_dies_while_the_database_is_away_comes_back_with_it(database, home):
    env = {
        "PLANNER_DATABASE_URL": store_with_policy(database, home),
        "PLANNER_ARTIFACT_DIR": str(home / "planner-artifacts"),
    }
    with running(home, workers=2, env=env) as service:
        database.stop()
        pids = set(worker_pids(service.process.pid))
        os.kill(min(pids), signal.SIGKILL)
        service.wait(lambda: "a worker waits for the store" in service.log_file.read_text())
        database.start()
        service.wait(lambda: "Application startup complete" in service.log_file.read_text().rpartition("waits for")[2])
        assert max(pids) in worker_pids(service.process.pid)


def test_policy_and_drift_are_among_the_figures_without_anyone_asking(client, serve):
    made = client.post("/v1/recommendations", json=ASK).json()
    ids = {"recommendation_id": made["recommendation_id"], "propensity": 1, "correct": 0, "selection": "first"}
    assert client.post("/v1/runs", json=RUN | ids).status_code == 201
    client.get(f"/v1/recommendations/{made['recommendation_id']}")  # by when this is answered, it is stored
    page = serve().get("/metrics").text
    assert f'planner_policy_info{{policy_id="{made["policy_id"]}"}} 1.0' in page
    drift = next(line for line in page.splitlines() if line.startswith('planner_value{name="calibration_drift"}'))
    assert float(drift.split()[-1]) == pytest.approx(-made["forecast"]["accuracy"])
