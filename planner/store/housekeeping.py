"""What is in the store, and taking out of it what should not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, select, text

from planner.errors import InvalidInput
from planner.store.grades import unfill_grades
from planner.store.reading import JOINED_RUNS, LogFilter
from planner.store.tables import imports


class ImportRow(NamedTuple):
    """One import of logs."""

    import_id: str
    source: str
    format: str | None
    imported_at: datetime
    n_runs: int
    n_samples: int
    n_duplicates: int
    n_graded: int
    sha256: str | None


@dataclass(frozen=True)
class Counts:
    """Rows in the store; `n_ungraded` counts grades that are still null."""

    n_prompts: int
    n_runs: int
    n_samples: int
    n_ungraded: int
    n_models: int
    n_imports: int
    n_policies: int
    n_recommendations: int


class LogStats(NamedTuple):
    """Runs of one data set by one generator with one verifier and one search."""

    dataset: str | None
    generator: str
    verifier: str | None
    search: str
    n_prompts: int
    n_runs: int
    n_samples: int
    n_ungraded: int


class Removed(NamedTuple):
    """What was taken out."""

    n_prompts: int
    n_runs: int
    n_samples: int
    n_grades: int = 0
    """Of runs that stay."""


def list_imports(connection: Connection) -> list[ImportRow]:
    """All imports, the newest first."""
    columns = [imports.c[name] for name in ImportRow._fields]
    rows = connection.execute(select(*columns).order_by(imports.c.import_key.desc()))
    return [ImportRow(*row) for row in rows]


def count(connection: Connection) -> Counts:
    """How many rows there are."""

    def of(table: str) -> int:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608

    sums = "SELECT count(*), coalesce(sum(n_samples), 0), coalesce(sum(n_ungraded), 0) FROM runs"
    n_runs, n_samples, n_ungraded = connection.execute(text(sums)).one()
    tables = ("models", "imports", "policies", "recommendations")
    return Counts(of("prompts"), n_runs, int(n_samples), int(n_ungraded), *(of(table) for table in tables))


def log_stats(connection: Connection) -> list[LogStats]:
    """Runs by data set, generator, verifier and search."""
    columns = "prompts.dataset, models.name, verifiers.name, arms.search"
    counts = "count(DISTINCT runs.prompt_key), count(*), sum(runs.n_samples), sum(runs.n_ungraded)"
    joined = f"{JOINED_RUNS} LEFT JOIN models AS verifiers ON verifiers.model_key = arms.verifier_key"
    order = "coalesce(prompts.dataset, ''), models.name, coalesce(verifiers.name, ''), arms.search"
    query = f"SELECT {columns}, {counts} FROM {joined} GROUP BY {columns} ORDER BY {order}"  # noqa: S608
    rows = connection.execute(text(query))
    return [LogStats(*row[:4], *map(int, row[4:])) for row in rows]


def undo_import(connection: Connection, import_id: str) -> Removed:
    """Take out the runs of an import, prompts that only they had, and the grades that it filled into other runs.

    Raises InvalidInput for an unknown id.
    """
    query = select(imports.c.import_key).where(imports.c.import_id == import_id)
    key = connection.execute(query).scalar_one_or_none()
    if key is None:
        raise InvalidInput(f"there is no import {import_id!r}: `planner logs list` names them")
    removed = _remove(connection, "SELECT run_key FROM runs WHERE import_key = :import_key", {"import_key": key})
    removed = removed._replace(n_grades=unfill_grades(connection, key))
    connection.execute(text("UPDATE prompts SET import_key = NULL WHERE import_key = :key"), {"key": key})
    connection.execute(text("DELETE FROM imports WHERE import_key = :key"), {"key": key})
    return removed


def delete_runs(
    connection: Connection, *, datasets: Sequence[str], generators: Sequence[str], before: datetime | None
) -> Removed:
    """Take out the runs that meet all conditions given; raises InvalidInput where none is, or none is known."""
    if not datasets and not generators and before is None:
        raise InvalidInput("say what to delete: --dataset, --generator or --before")
    check_names(connection, datasets, generators)
    clauses, values = ["1 = 1"], {}
    if datasets:
        clauses.append("prompts.dataset IN :datasets")
        values["datasets"] = list(datasets)
    if generators:
        clauses.append("models.name IN :generators")
        values["generators"] = list(generators)
    chosen = f"SELECT runs.run_key FROM {JOINED_RUNS} WHERE {' AND '.join(clauses)}"  # noqa: S608
    if before is None:
        return _remove(connection, chosen, values)
    where, moments = LogFilter(since=before).where(connection.dialect.name)
    old = f"{chosen} AND NOT ({where.replace('?', ':before').replace('%s', ':before')})"
    return _remove(connection, old, values | {"before": moments[0]})


def check_names(connection: Connection, datasets: Sequence[str], generators: Sequence[str]) -> None:
    """Raise InvalidInput for a data set or a generator that nothing is logged of."""
    _check_known(connection, "SELECT dataset FROM prompts", datasets, "data set")
    _check_known(connection, "SELECT name FROM models", generators, "generator")


def _remove(connection: Connection, chosen: str, values: dict[str, Any]) -> Removed:
    """Delete the runs whose keys the query gives, with samples, and prompts and arms that no run has left."""
    expanding: list[BindParameter[Any]] = [
        bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)
    ]
    temporary = text(f"CREATE TEMPORARY TABLE gone AS {chosen}").bindparams(*expanding)
    if connection.dialect.name == "postgresql":
        temporary = text(f"CREATE TEMPORARY TABLE gone ON COMMIT DROP AS {chosen}").bindparams(*expanding)
    connection.execute(temporary, values)
    of_runs = "IN (SELECT run_key FROM gone)"
    connection.execute(
        text(f"CREATE TEMPORARY TABLE left_over AS SELECT DISTINCT prompt_key FROM runs WHERE run_key {of_runs}")  # noqa: S608
    )
    n_samples = connection.execute(text(f"DELETE FROM samples WHERE run_key {of_runs}")).rowcount  # noqa: S608
    n_runs = connection.execute(text(f"DELETE FROM runs WHERE run_key {of_runs}")).rowcount  # noqa: S608
    n_prompts = connection.execute(
        text(
            "DELETE FROM prompts WHERE prompt_key IN (SELECT prompt_key FROM left_over) "
            "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.prompt_key = prompts.prompt_key)"
        )
    ).rowcount
    connection.execute(text("DELETE FROM arms WHERE arm_key NOT IN (SELECT arm_key FROM runs)"))
    connection.execute(
        text(
            "DELETE FROM models WHERE has_card = 0 AND model_key NOT IN (SELECT generator_key FROM arms) "
            "AND model_key NOT IN (SELECT verifier_key FROM arms WHERE verifier_key IS NOT NULL) "
            "AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.generator_key = models.model_key "
            "OR samples.verifier_key = models.model_key)"
        )
    )
    for table in ("gone", "left_over"):
        connection.execute(text(f"DROP TABLE {table}"))
    return Removed(n_prompts, n_runs, n_samples)


def _check_known(connection: Connection, query: str, names: Sequence[str], what: str) -> None:
    known = set(connection.execute(text(query)).scalars()) if names else set()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInput(f"no {what} {unknown[0]!r} is logged: `planner logs stats` names them")
