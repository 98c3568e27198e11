"""Imports leave foreign keys unchecked where they may: what they write is sound all the same, and so is all else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, text
from store_worlds import run, sampled, tree

from planner.errors import StoreError
from planner.store import Store
from planner.store.engine import Database
from planner.store.tables import metadata

ROLE = "planner_who_may_little"


@pytest.fixture
def plain_url(postgres_store_url: str) -> Iterator[str]:
    """URL of a PostgreSQL store for a role that may read and write tables and no more."""
    database = Database(postgres_store_url)
    with database.writing() as connection:
        connection.execute(text(f"CREATE ROLE {ROLE} LOGIN"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}"))
    yield postgres_store_url.replace("planner@", f"{ROLE}@")
    with database.writing() as connection:
        connection.execute(text(f"DROP OWNED BY {ROLE}"))
        connection.execute(text(f"DROP ROLE {ROLE}"))
    database.close()


def violated(store: Store) -> bool:
    try:
        with store.database.writing() as connection:
            connection.execute(text("UPDATE runs SET prompt_key = 4711"))
    except StoreError:
        return True
    return False


def test_every_key_of_an_import_leads_somewhere(store):
    store.append([sampled("a"), tree("b", verifier="judge"), run("c", "other", generator="large")])
    store.append([run("a", "other"), run("d")])
    keys = [key for table in metadata.sorted_tables for key in table.foreign_keys]
    with store.database.reading() as connection:
        for key in keys:
            lost = select(key.parent).where(key.parent.is_not(None), key.parent.not_in(select(key.column)))
            assert connection.execute(lost).all() == []


def test_keys_are_checked_again_after_an_import(store):
    store.append([sampled("a"), tree("b")])
    assert violated(store)


def test_keys_are_checked_again_after_an_import_that_failed(store):
    store.append([run("a")])
    with pytest.raises(RuntimeError), store.begin_import(source="file"):
        raise RuntimeError
    assert violated(store)


def test_a_role_that_may_not_leave_them_unchecked_imports_as_well(plain_url):
    with Store.open(plain_url) as store:
        assert store.append([run("by whoever may little")]).runs == 1
        assert violated(store)
