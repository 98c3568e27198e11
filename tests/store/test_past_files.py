"""Store files of past schemas, one for each migration, kept as they were written: `past/REVISION.db.gz`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from planner.store import Store
from planner.store.engine import Database
from planner.store.migrate import upgrade
from planner.store.schema import schema_status

PAST = sorted((Path(__file__).parent / "past").glob("*.db.gz"))


@pytest.fixture(params=PAST, ids=lambda path: path.name.partition(".")[0])
def upgraded(request, tmp_path):
    path = tmp_path / "planner.db"
    path.write_bytes(gzip.decompress(request.param.read_bytes()))
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    yield database, f"sqlite:///{path}"
    database.close()


def test_there_is_a_file_of_the_first_schema():
    assert PAST[0].name == "0001.db.gz"


def test_a_file_of_the_past_is_brought_to_the_newest_schema(upgraded):
    database, _ = upgraded
    assert schema_status(database).state == "current"


def test_what_was_logged_is_read_after_the_upgrade(upgraded):
    with Store.open(upgraded[1]) as store:
        logs = store.read_logs()
        assert len(logs.prompts) == 3
        assert {model.card.name: model.card.active_params for model in store.models()} == {
            "prm": None,
            "small": 1_000_000,
        }
        graded = next(store.find_runs(["g1"]))
        assert (graded.correct, graded.dataset, dict(graded.metadata)) == (1.0, "old", {"level": 2})
        assert [sample.answer for sample in next(store.find_runs(["r1"])).samples] == ["right", "wrong", "right"]


def test_what_was_fitted_and_served_is_known_after_the_upgrade(upgraded):
    with Store.open(upgraded[1]) as store:
        assert store.active_policy().policy_id == "p1"
        assert [(fit.fit_id, fit.status) for fit in store.fits()] == [("f1", "done")]
        served = store.recommendation("a" * 32)
        assert (served.arm.label, served.propensity) == ("small weighted_vote 3", 0.5)


def test_a_file_of_the_past_takes_new_rows_after_the_upgrade(upgraded):
    with Store.open(upgraded[1]) as store:
        store.grade("g1", correct=0.0)
        store.promote_policy("p1", reason="again")
        assert next(store.find_runs(["g1"])).correct == 0.0
