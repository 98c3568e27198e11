"""`planner db`: the store's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.common import echo_json, json_option, settings

if TYPE_CHECKING:
    from planner.store.engine import Database


@click.group()
def db() -> None:
    """Create, upgrade and look at the store's schema."""


@db.command()
def init() -> None:
    """Create the tables where there are none; a new SQLite file is made."""
    from planner.store.schema import check_schema, create_schema

    database = _database()
    made = create_schema(database)
    check_schema(database)
    click.echo(f"{'created' if made else 'nothing to do: the tables are there'} ({_place(database)})")


@db.command()
def upgrade() -> None:
    """Bring the schema to this version of the planner; the logs stay."""
    from planner.store.migrate import upgrade as migrate
    from planner.store.schema import check_schema, create_schema, schema_status

    database = _database()
    before = schema_status(database)
    if before.state == "empty":
        create_schema(database)
    elif before.state == "behind":
        migrate(database)
    check_schema(database)
    if before.state == "current":
        click.echo(f"nothing to do: the schema is at {before.head} ({_place(database)})")
    else:
        click.echo(f"upgraded from {before.version or 'nothing'} to {before.head} ({_place(database)})")


@db.command()
@json_option
def status(as_json: bool) -> None:
    """Show where the store is, the version of its schema, and how much it holds.

    Exit code 3 where the schema is missing, behind or ahead.
    """
    from planner.store import Store
    from planner.store.schema import check_schema, schema_status

    database = _database()
    found = schema_status(database)
    answer = {"url": _place(database), "version": found.version, "head": found.head, "state": found.state}
    if found.state == "current":
        answer |= vars(Store(database).count())
    if as_json:
        echo_json(answer)
    else:
        for name, value in answer.items():
            click.echo(f"{name.removeprefix('n_'):<16} {value:,}" if isinstance(value, int) else f"{name:<16} {value}")
    check_schema(database)


@db.command()
def schema() -> None:
    """Describe the tables, for reading them with sqlite3, psql or any other tool."""
    from planner.store.schema_text import schema_markdown

    click.echo(schema_markdown())


def _database() -> Database:
    from planner.store.engine import Database

    database = Database(settings().database_url)
    click.get_current_context().call_on_close(database.close)
    return database


def _place(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)
