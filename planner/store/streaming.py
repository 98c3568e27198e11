"""Whole runs out of the store, one after the other, for exports: texts included, memory at one chunk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from planner.core import Run, Sample
from planner.store.bulk import select_in
from planner.store.engine import Database
from planner.store.reading import JOINED_RUNS, LogFilter, stream

_CHUNK_SAMPLES = 5_000
_CHUNK_IDS = 5_000

_RUN_FIELDS = (
    "run_id", "answer", "correct", "prompt_tokens", "completion_tokens", "verifier_calls", "verifier_tokens", "usd",
    "latency_seconds", "status", "recommendation_id", "propensity", "started_at",
)  # fmt: skip
_ARM_FIELDS = ("generator_key", "verifier_key", "search", "selection", "breadth", "depth", "params")
_PROMPT_FIELDS = ("prompt_id", "text", "dataset", "reference", "metadata")
_SAMPLE_FIELDS = (
    "chain", "attempt", "answer", "correct", "score", "score_min", "step_scores", "prompt_tokens", "completion_tokens",
    "verifier_tokens", "latency_seconds", "status", "text", "generator_key", "verifier_key", "stage",
)  # fmt: skip
_COLUMNS = (
    "runs.run_key", "runs.n_samples", *(f"runs.{name}" for name in _RUN_FIELDS),
    *(f"arms.{name}" for name in _ARM_FIELDS), *(f"prompts.{name}" for name in _PROMPT_FIELDS),
)  # fmt: skip
_COUNTS = ("prompt_tokens", "completion_tokens", "verifier_tokens", "verifier_calls")

Row = tuple[Any, ...]


def stream_runs(database: Database, chosen: LogFilter) -> Iterator[Run]:
    """Complete runs, those of one prompt together; see `Store.stream_runs`."""
    with database.reading() as connection:
        yield from _whole(connection, _chunks(stream(connection, *_query(connection, chosen))))


def find_runs(database: Database, run_ids: Sequence[str]) -> Iterator[Run]:
    """Those of the runs that are logged, complete, in no order; see `Store.find_runs`."""
    with database.reading() as connection:
        for start in range(0, len(run_ids), _CHUNK_IDS):
            some = run_ids[start : start + _CHUNK_IDS]
            rows = select_in(connection, ", ".join(_COLUMNS), JOINED_RUNS, "runs.run_id", some)
            yield from _whole(connection, _chunks([rows]))


def _names(connection: Connection) -> Mapping[int | None, str]:
    return {key: name for key, name in connection.exec_driver_sql("SELECT model_key, name FROM models")}  # noqa: C416


def _query(connection: Connection, chosen: LogFilter) -> tuple[str, tuple[Any, ...]]:
    where, values = chosen.where(connection.dialect.name)
    order = "runs.prompt_key, runs.run_key"
    return f"SELECT {', '.join(_COLUMNS)} FROM {JOINED_RUNS} WHERE {where} ORDER BY {order}", values  # noqa: S608


def _chunks(read: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Rows of runs, gathered until they own some thousands of samples."""
    gathered: list[Row] = []
    held = 0
    for row in chain.from_iterable(read):
        gathered.append(row)
        held += 1 + row[1]
        if held >= _CHUNK_SAMPLES:
            yield gathered
            gathered, held = [], 0
    if gathered:
        yield gathered


def _whole(connection: Connection, chunks: Iterable[list[Row]]) -> Iterator[Run]:
    names = _names(connection)
    for rows in chunks:
        owned = _samples(connection, [row[0] for row in rows], names)
        for row in rows:
            yield _run(row, owned.get(row[0], ()), names)


def _samples(connection: Connection, keys: Sequence[int], names: Mapping[int | None, str]) -> dict[int, list[Sample]]:
    columns = ", ".join(("run_key", "position", *_SAMPLE_FIELDS))
    found: dict[int, list[Sample]] = {}
    for row in sorted(select_in(connection, columns, "samples", "run_key", keys), key=lambda row: row[:2]):
        found.setdefault(row[0], []).append(_sample(row[2:], names))
    return found


def _sample(row: Row, names: Mapping[int | None, str]) -> Sample:
    values = _counted(dict(zip(_SAMPLE_FIELDS, row, strict=True)))
    steps = values["step_scores"]
    # what is stored was checked when it came in
    return Sample.trusted(
        values
        | {
            "status": values["status"] or "ok",
            "step_scores": None if steps is None else tuple(json.loads(steps)),
            "generator": names.get(values.pop("generator_key")),
            "verifier": names.get(values.pop("verifier_key")),
        }
    )


def _run(row: Row, owned: Sequence[Sample], names: Mapping[int | None, str]) -> Run:
    values = _counted(dict(zip((*_RUN_FIELDS, *_ARM_FIELDS, *_PROMPT_FIELDS), row[2:], strict=True)))
    metadata = values["metadata"]
    return Run.trusted(
        values
        | {
            "prompt": values.pop("text"),
            "metadata": json.loads(metadata) if metadata else {},
            "generator": names[values.pop("generator_key")],
            "verifier": names.get(values.pop("verifier_key")),
            "params": json.loads(values["params"]),
            "started_at": _moment(values["started_at"]),
            "samples": tuple(owned),
        }
    )


def _counted(values: dict[str, Any]) -> dict[str, Any]:
    """Counts as whole numbers: SQLite keeps a number as it came."""
    whole = {name: int(values[name]) for name in _COUNTS if values.get(name) is not None}
    return values | whole


def _moment(value: str | datetime | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
