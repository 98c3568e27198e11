from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from planner.store import Store
from planner.store.engine import Database
from planner.store.schema import HEAD, create_schema
from planner.store.tables import metadata


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a private PostgreSQL server on loopback, gone at the end; skips where none is installed."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian package `postgresql`)")
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgres`)")
    user = _unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="planner-pg-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            os.chown(data, user.pw_uid, user.pw_gid)
        as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        options = {**as_user, "cwd": folder, "env": {**os.environ, "LC_ALL": "C"}}
        initialise = [programs / "initdb", "-D", data, "-U", "planner", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run(initialise, check=True, capture_output=True, **options)
        port = _free_port()
        command = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        try:
            url = f"postgresql://planner@127.0.0.1:{port}"
            _wait_until_ready(f"{url}/postgres", server)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # at once, whoever is still connected
            server.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'planner.db'}"
    return _new_database(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="session")
def postgres_store_url(postgres_server: str) -> str:
    """URL of a store on the server, shared by tests, since making a database takes its time."""
    url = _new_database(postgres_server)
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


def _new_database(server: str) -> str:
    import psycopg

    name = f"planner_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


def _clear(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})
    database.close()


def _postgres_programs() -> Path | None:
    candidates = [Path(found).parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in candidates if all((path / n).exists() for n in ("initdb", "postgres"))), None)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return pytest.skip("PostgreSQL refuses to run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    import time

    import psycopg

    for _ in range(300):
        if server.poll() is not None:
            pytest.skip("PostgreSQL did not start")
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=1).close()
            return
        time.sleep(0.1)
    pytest.fail("PostgreSQL was not ready in 30 seconds")
