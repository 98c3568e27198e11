"""Many rows at once: `executemany` on SQLite, COPY on PostgreSQL, and look-ups by a list of ids on both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import compress, repeat
from typing import Any, cast

from sqlalchemy import Connection, Double, Integer, Table

from planner.store.sqlite_time import sqlite_time
from planner.store.tables import UtcDateTime


def insert_columns(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Iterable[Any]],
    n_rows: int,
    *,
    keep: Sequence[bool] | None = None,
) -> None:
    """Insert `n_rows` rows given as columns; `keep` picks some of them.

    NaN is null. PostgreSQL needs no staging table here: keys are given out under a lock, and ids that
    are known were looked up before.
    """
    if n_rows == 0:
        return
    given = {name: values for name, values in columns.items() if not _is_null(values, n_rows)}
    values = [_values(connection, table, name, column) for name, column in given.items()]
    rows = zip(*values, strict=False)
    kept = rows if keep is None else compress(rows, keep)
    names = ", ".join(given)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(given))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - own names
        cursor.executemany(statement, cast("Sequence[Any]", kept))  # the driver takes rows as they come
    else:
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in kept:
                copy.write_row(row)


def select_in(
    connection: Connection, columns: str, table: str, field: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Rows of `table` whose `field` is among `values`; `columns` as SQL. All names are our own."""
    if not values:
        return []
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        among, given = "IN (SELECT value FROM json_each(?))", cast("Any", json.dumps(list(values)))
    else:
        # One text: the driver would look at each value of a list of texts, character by character.
        texts = isinstance(values[0], str)
        among = "IN (SELECT json_array_elements_text(%s::json))" if texts else "= ANY(%s)"
        given = json.dumps(list(values), ensure_ascii=False) if texts else list(values)
    cursor.execute(f"SELECT {columns} FROM {table} WHERE {field} {among}", (given,))  # noqa: S608 - own names
    return list(cursor.fetchall())


def _values(connection: Connection, table: Table, name: str, column: Iterable[Any]) -> Iterable[Any]:
    values = column.tolist() if hasattr(column, "tolist") else column
    kind = table.c[name].type
    if connection.dialect.name == "sqlite":
        # SQLite takes NaN for null and 20.0 in an integer column for 20; only times need a hand
        return map(_sqlite_time, values) if isinstance(kind, UtcDateTime) else values
    if isinstance(values, repeat):
        return values
    if isinstance(kind, Integer):
        return (None if value is None or value != value else int(value) for value in values)  # noqa: PLR0124 - NaN
    if isinstance(kind, Double):
        return (None if value is None or value != value else value for value in values)  # noqa: PLR0124
    return values


def _is_null(column: Iterable[Any], n_rows: int) -> bool:
    return isinstance(column, list) and column[0] is None and column.count(None) == n_rows


def _sqlite_time(moment: datetime | None) -> str | None:
    return None if moment is None else sqlite_time(moment)
