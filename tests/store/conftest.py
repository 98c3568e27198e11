from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from planner.store import Store
from planner.store.engine import Database
from planner.store.schema import HEAD, create_schema
from planner.store.tables import metadata
from tests.postgres import NoPostgres, PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL server on loopback, gone at the end; skips where none is installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgres`)")
    try:
        server = PostgresServer()
    except NoPostgres as why:
        pytest.skip(str(why))
    with server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'planner.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture(scope="session")
def postgres_store_url(postgres_server: PostgresServer) -> str:
    """URL of a store on the server, shared by tests, since making a database takes its time."""
    url = postgres_server.new_database()
    database = Database(url)
    create_schema(database)
    database.close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty store of either kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'planner.db'}"
        Store.open(url).close()
        return url
    shared: str = request.getfixturevalue("postgres_store_url")
    _clear(shared)
    return shared


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of either kind."""
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'planner.db'}"


@pytest.fixture
def all_rows() -> Callable[[Store], dict[str, list[tuple[object, ...]]]]:
    """Reads every row of a store, to see whether anything changed."""

    def read(store: Store) -> dict[str, list[tuple[object, ...]]]:
        with store.database.reading() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(table.select())), key=repr)
                for table in metadata.sorted_tables
            }

    return read


def _clear(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})
    database.close()
