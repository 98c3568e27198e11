"""Which version of the schema a store has, and whether it is ours; without alembic, whose import is slow."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sqlalchemy import Connection, inspect, text

from planner.errors import SchemaOutdated
from planner.store.engine import Database
from planner.store.tables import metadata
from planner.store.version import HEAD

PAGE_BYTES = 16_384
"""Of a new SQLite file: five recommendations fill a page, where two would leave a third of one of 8,192 empty; storing
one takes half as long."""


class SchemaStatus(NamedTuple):
    """Where a store's schema stands: `version` is None where it has none yet."""

    version: str | None
    head: str
    state: Literal["empty", "current", "behind", "ahead"]


def schema_status(database: Database) -> SchemaStatus:
    """Version of the store's schema against ours; a SQLite file that is not there yet is not made."""
    if database.path is not None and not database.path.exists():
        return SchemaStatus(None, HEAD, "empty")
    with database.reading() as connection:
        version = _version(connection)
    if version is None:
        return SchemaStatus(None, HEAD, "empty")
    if version == HEAD:
        return SchemaStatus(version, HEAD, "current")
    return SchemaStatus(version, HEAD, "behind" if version < HEAD else "ahead")


def is_blank(database: Database) -> bool:
    """Whether a SQLite file is not there, or holds nothing yet (its maker may have been killed)."""
    if database.path is not None and not database.path.exists():
        return True
    with database.reading() as connection:
        return connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0


def check_schema(database: Database) -> None:
    """Raise SchemaOutdated, with the command that helps, unless the schema is ours."""
    status = schema_status(database)
    match status.state:
        case "empty":
            place = database.url.render_as_string(hide_password=True)
            raise SchemaOutdated(f"the store {place} holds no tables of the planner yet: run `planner db init`")
        case "behind":
            raise SchemaOutdated(
                f"the store's schema is at {status.version}, this planner needs {HEAD}: run `planner db upgrade`"
            )
        case "ahead":
            raise SchemaOutdated(
                f"the store's schema is at {status.version}, newer than this planner knows ({HEAD}): "
                "upgrade the package with `pip install --upgrade planner`"
            )


def create_schema(database: Database) -> bool:
    """Make all tables at head in a store that has none; give whether any were made.

    The tables are those that the migrations make, which a test holds to.
    """
    if database.is_sqlite:
        _use_write_ahead_log(database)
    with database.writing() as connection:
        if _version(connection) is not None:
            return False
        metadata.create_all(connection, checkfirst=False)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    return True


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _use_write_ahead_log(database: Database) -> None:
    # kept in the file, and not to be changed inside a transaction
    with database.errors_in_words():
        raw = database.engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is new
            cursor.execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()
