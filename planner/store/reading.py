"""Reading for a fit: rows streamed into narrow columns, a chunk of Python objects at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from planner.store.sqlite_time import sqlite_time

Array = NDArray[Any]

_CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class LogFilter:
    """Which runs a fit reads; None and () leave nothing out. `since` looks at the start, else at the import."""

    datasets: Sequence[str] | None = None
    exclude_datasets: Sequence[str] = ()
    generators: Sequence[str] | None = None
    exclude_generators: Sequence[str] = ()
    since: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all runs are read."""
        return self == LogFilter()

    def where(self, dialect: str) -> tuple[str, tuple[Any, ...]]:
        """SQL over runs, prompts, arms, models (the generator) and imports, with its values."""
        mark = "?" if dialect == "sqlite" else "%s"
        clauses: list[str] = []
        values: list[Any] = []

        def among(expression: str, names: Sequence[str], word: str) -> None:
            clauses.append(f"{expression} {word} ({', '.join([mark] * len(names)) or 'NULL'})")
            values.extend(names)

        if self.datasets is not None:
            among("prompts.dataset", self.datasets, "IN")
        if self.exclude_datasets:
            among("coalesce(prompts.dataset, '')", self.exclude_datasets, "NOT IN")
        if self.generators is not None:
            among("models.name", self.generators, "IN")
        if self.exclude_generators:
            among("models.name", self.exclude_generators, "NOT IN")
        if self.since is not None:
            clauses.append(f"coalesce(runs.started_at, imports.imported_at) >= {mark}")
            values.append(sqlite_time(self.since) if dialect == "sqlite" else self.since)
        return " AND ".join(clauses) or "1 = 1", tuple(values)


JOINED_RUNS = (
    "runs JOIN prompts ON prompts.prompt_key = runs.prompt_key JOIN arms ON arms.arm_key = runs.arm_key "
    "JOIN models ON models.model_key = arms.generator_key JOIN imports ON imports.import_key = runs.import_key"
)


def stream(connection: Connection, query: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
    """Chunks of rows of a query written for the connection's own driver; memory stays at one chunk."""
    raw = connection.connection.driver_connection
    assert raw is not None, "the connection is open"
    # a cursor with a name lives on the server of PostgreSQL
    cursor = raw.cursor() if connection.dialect.name == "sqlite" else raw.cursor(name="planner_read")
    with closing(cursor):
        cursor.execute(query, tuple(values))
        while rows := cursor.fetchmany(_CHUNK_ROWS):
            yield rows


def read_columns(
    connection: Connection, query: str, values: Sequence[Any], kinds: Mapping[str, type]
) -> dict[str, Array]:
    """Columns of a query, by the names and of the kinds given; null is NaN.

    `str` gives int64 hashes, by which equal texts are equal within this process, and 0 for null: the texts
    are not kept.
    """
    parts: list[list[Array]] = [[np.empty(0, _array_type(kind))] for kind in kinds.values()]
    for rows in stream(connection, query, values):
        for part, kind, column in zip(parts, kinds.values(), zip(*rows, strict=True), strict=True):
            part.append(_array(column, kind))
    return {name: np.concatenate(part) for name, part in zip(kinds, parts, strict=True)}


def codes(hashes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Codes 0, 1, ... in the order of first appearance, the same in every process; -1 for null."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return np.where(hashes == 0, np.int32(-1), rank[inverse]).astype(np.int32)


def _array_type(kind: type) -> type:
    return np.int64 if kind is str else kind


def _array(column: tuple[Any, ...], kind: type) -> Array:
    if kind is not str:
        return np.array(column, dtype=kind)
    return np.fromiter((0 if text is None else hash(text) or 1 for text in column), np.int64, len(column))
