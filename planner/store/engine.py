"""Connections: one way for SQLite and PostgreSQL to begin, write alone, and tell in words what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from planner.errors import BadLog, InvalidInput, PlannerError, StoreError

BUSY_TIMEOUT_SECONDS = 30
# any constant that no other program is likely to lock on
_ADVISORY_LOCK = 0x706C616E
_GRANTS_PARAMETERS = 150_000
_MAY_NOT_CHECK = "may leave foreign keys unchecked"

_ADVICE = (
    ("full", "the disk is full: free some space and try again; the store is as it was before"),
    ("no space left", "the disk is full: free some space and try again; the store is as it was before"),
    ("locked", "another process is writing to it: wait until it is done and try again"),
    ("lock timeout", "another process is writing to it: wait until it is done and try again"),
    ("readonly", "it may not be written: check the permissions of the file and of its folder"),
    ("read-only", "it may not be written: check its permissions"),
    ("permission denied", "it may not be written: check the permissions of the user in the URL"),
    ("unable to open", "check that its folder exists and that you may write there"),
    ("not a database", "that file is no SQLite database: name another in PLANNER_DATABASE_URL"),
    ("malformed", "the file is damaged: restore it from a copy, or start a new one and import the logs again"),
    ("disk i/o error", "the disk cannot be read or written: check its space and its health"),
    ("no such table", "its schema is not the planner's: run `planner db status`"),
    ("does not exist", "check the names in PLANNER_DATABASE_URL, and run `planner db status`"),
    ("authentication", "check user and password in PLANNER_DATABASE_URL"),
    ("connection", "check that the server runs, and host and port in PLANNER_DATABASE_URL"),
)


class Database:
    """An engine with the planner's habits; nothing is opened before the first use."""

    def __init__(self, url: str) -> None:
        """Raise InvalidInput for a URL that cannot be read, StoreError where its driver is missing."""
        self.url = _parse(url)
        self.engine = _engine(self.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # a snapshot would be taken before the lock is waited for, and not show what the other writer did
        self._write_options: dict[str, Any] = (
            {"planner_writes": True} if self.is_sqlite else {"isolation_level": "READ COMMITTED"}
        )

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The SQLite file and those beside it that are a part of it; none with a server."""
        path = self.path
        return () if path is None else tuple(Path(f"{path}{ending}") for ending in ("", "-wal", "-shm", "-journal"))

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store throughout."""
        with self.errors_in_words(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = True, trusted: bool = False) -> Iterator[Connection]:
        """A transaction: all that is done in it is kept at its end, or nothing.

        `alone` waits for other writers first, so that keys may be given out without gaps or clashes.
        `trusted`: only keys that were looked up or made in it are written. They are not checked again then, which
        takes SQLite a seventh of an import and PostgreSQL, where the role may leave it out, two fifths.
        """
        with self.errors_in_words(), self.engine.connect() as connection:
            connection.execution_options(**self._write_options)
            with self._unchecked(connection, trusted=trusted), connection.begin():
                first = [f"pg_advisory_xact_lock({_ADVISORY_LOCK})"] * (alone and not self.is_sqlite)
                if trusted and connection.info.get(_MAY_NOT_CHECK):
                    first.append("set_config('session_replication_role', 'replica', true)")
                if first:
                    connection.exec_driver_sql(f"SELECT {', '.join(first)}")
                yield connection

    @contextmanager
    def _unchecked(self, connection: Connection, *, trusted: bool) -> Iterator[None]:
        raw = connection.connection.driver_connection
        if not (trusted and self.is_sqlite) or raw is None:
            yield
            return
        raw.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
        try:
            yield
        finally:
            raw.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def errors_in_words(self) -> Iterator[None]:
        """Turn the driver's errors into StoreError with advice, and into BadLog where a value cannot be stored."""
        driver = self.engine.dialect.loaded_dbapi
        try:
            yield
        except DBAPIError as error:
            raise self._in_words(error.orig or error) from error
        except NoConnectionFree as error:
            raise StoreError("the store's connections are all in use: try again in a moment") from error
        except driver.Error as error:
            raise self._in_words(error) from error

    def _in_words(self, error: BaseException) -> PlannerError:
        text = " ".join(str(error).split())
        if isinstance(error, self.engine.dialect.loaded_dbapi.DataError):
            return BadLog(f"a value cannot be stored: {text}")
        advice = next((advice for sign, advice in _ADVICE if sign in text.lower()), "run `planner db status`")
        place = self.url.render_as_string(hide_password=True)
        return StoreError(f"the store {place} cannot be used ({text}): {advice}")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise InvalidInput(
            "the database URL cannot be read: write sqlite:///planner.db or postgresql://user@host/name"
        ) from error
    match url.get_backend_name():
        case "sqlite":
            if url.database in (None, "", ":memory:"):
                raise InvalidInput("the store is a file: write sqlite:///planner.db")
            return url.set(drivername="sqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
    raise InvalidInput(f"{url.get_backend_name()} is no known database: write sqlite:/// or postgresql://")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    try:
        engine = create_engine(
            url, isolation_level="REPEATABLE READ", connect_args={"connect_timeout": 10}, pool_pre_ping=True
        )
    except ImportError as error:
        raise StoreError("PostgreSQL needs a driver: run `pip install 'planner[postgres]'`") from error
    event.listen(engine, "connect", _on_postgres_connect)
    return engine


def _on_sqlite_connect(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own class
    del record
    connection.isolation_level = None  # the driver's own idea of when to begin would split our transactions
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a crash may lose the last commit, never the file
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")


def _on_postgres_connect(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - the driver's own class
    # A superuser may, and since version 15 who was granted it
    query = "SELECT current_setting('is_superuser') = 'on'"
    if connection.info.server_version >= _GRANTS_PARAMETERS:
        query = "SELECT has_parameter_privilege('session_replication_role', 'SET')"
    (record.info[_MAY_NOT_CHECK],) = connection.execute(query).fetchone()
    connection.rollback()


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("planner_writes", False)
    # a transaction that begins by reading cannot wait its turn to write: it would fail at once
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
