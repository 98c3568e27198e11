"""Serving without SQLAlchemy does what the store does."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from planner import Budget, Planner
from planner.errors import StoreError
from planner.store import QuickStore, Store

PROMPT = "Start with 11. Multiply by 5. How many now?"


def url(home) -> str:
    return f"sqlite:///{home / 'planner.db'}"


def test_both_name_the_same_policy(home):
    quick = QuickStore.open(url(home))
    with Store.open(url(home)) as store:
        assert quick.active_policy() == (store.active_policy().policy_id, store.active_policy().artifact_path)
    quick.close()


def test_both_write_the_same_row(home):
    with Planner.open(url(home)) as planner:
        plan = planner.recommend(PROMPT, Budget(max_generations=2))
    other = plan.model_copy(update={"recommendation_id": "by-the-store"})
    with Store.open(url(home)) as store:
        store.record([other])
    columns = "typeof(created_at), length(created_at), prompt_id, policy_id, propensity, length(body)"
    query = f"SELECT {columns} FROM recommendations WHERE recommendation_id = ?"
    with sqlite3.connect(home / "planner.db") as connection:
        mine, theirs = (connection.execute(query, (x.recommendation_id,)).fetchone() for x in (plan, other))
    connection.close()
    shorter = len(plan.recommendation_id) - len(other.recommendation_id)
    assert mine == (*theirs[:-1], theirs[-1] + shorter)


@pytest.mark.parametrize(
    "text", ["sqlite:///none.db", "sqlite://", "postgresql://x/y", "sqlite:///planner.db?mode=ro", "nonsense"]
)
def test_what_is_unusual_is_left_to_the_store(home, text):
    assert QuickStore.open(text) is None


def test_another_version_of_the_schema_is_left_to_the_store(home):
    with sqlite3.connect(home / "planner.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    assert QuickStore.open(url(home)) is None


def test_a_file_that_is_no_database_is_left_to_the_store(tmp_path):
    (tmp_path / "x.db").write_text("no database at all, " * 100)
    assert QuickStore.open(f"sqlite:///{tmp_path / 'x.db'}") is None


def test_trouble_is_told_in_the_stores_words(home):
    quick = QuickStore.open(url(home))
    with sqlite3.connect(home / "planner.db") as connection:
        connection.execute("DROP TABLE policies")
    connection.close()
    with pytest.raises(StoreError, match="planner db status"):
        quick.active_policy()
    quick.close()


def test_who_reads_does_not_wait_while_another_process_writes(home):
    with Planner.open(url(home)) as planner:
        plan = planner.recommend(PROMPT, Budget(max_generations=2))
        planner.flush()
        other = sqlite3.connect(home / "planner.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        quick = QuickStore.open(url(home))
        quick.record([plan.model_copy(update={"recommendation_id": "waits"})])
        flushing = threading.Thread(target=quick.flush)
        flushing.start()
        time.sleep(0.3)  # by now it waits for the other
        start = time.perf_counter()
        assert quick.active_policy().policy_id == plan.policy_id
        took = time.perf_counter() - start
        still_waits = flushing.is_alive()
        other.execute("ROLLBACK")
        other.close()
        flushing.join()
        quick.close()
        assert planner.store.recommendation("waits") is not None
    assert still_waits
    assert took < 1
