"""Grades that come late: from a later record of the same run, or one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Real
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, text, update

from planner.core.batch import Batch
from planner.errors import InvalidInput
from planner.store.bulk import select_in
from planner.store.tables import arms, runs, samples


class _Logged(NamedTuple):
    """What is known of a run; `is_ungraded`: itself, as 0 or 1, and `n_ungraded` its samples, or itself."""

    key: int
    is_ungraded: int
    n_ungraded: int
    n_samples: int


def fill_grades(connection: Connection, batch: Batch, *, import_key: int) -> int:
    """Fill null grades of runs that are logged from a batch that holds them again; give how many were filled.

    Where a run has one sample, it gets the run's grade, and both count once. `import_key`: of who fills.
    """
    columns = "run_id, run_key, CASE WHEN correct IS NULL THEN 1 ELSE 0 END, n_ungraded, n_samples"
    rows = select_in(connection, columns, "runs", "run_id", batch.runs.run_id)
    known = {run_id: _Logged(*values) for run_id, *values in rows}
    of_runs, of_samples = _grades(batch, known)
    graded = set()
    for key, correct in of_runs:
        result = connection.execute(
            update(runs)
            .where(runs.c.run_key == key, runs.c.correct.is_(None))
            .values(correct=correct, grade_import_key=import_key)
        )
        if result.rowcount:
            graded.add(key)
    filled = len(graded)
    if of_samples:
        statement = update(samples).where(
            samples.c.run_key == bindparam("k"),
            samples.c.chain == bindparam("c"),
            samples.c.attempt == bindparam("a"),
            samples.c.stage.is_not_distinct_from(bindparam("s")),
            samples.c.correct.is_(None),
        )
        values = {"correct": bindparam("y"), "grade_import_key": import_key}
        filled += connection.execute(statement.values(**values), of_samples).rowcount
    alone = {run.key for run in known.values() if run.n_samples == 1 and run.n_ungraded}
    filled += _grade_lone(connection, alone - graded, import_key)
    _grade_lone(connection, alone & graded, import_key)  # counted with their runs
    _count_ungraded(connection, alone | {key for key, _ in of_runs} | {row["k"] for row in of_samples})
    return filled


def unfill_grades(connection: Connection, import_key: int) -> int:
    """Take back the grades that an import filled into runs of others; give how many there were."""
    by_both = [table.c.grade_import_key == import_key for table in (runs, samples)]
    n_lone = select(func.count()).select_from(runs).join(samples).where(*by_both, runs.c.n_samples == 1)
    n_taken, keys = -connection.execute(n_lone).scalar_one(), set()
    for table in (runs, samples):
        mine = table.c.grade_import_key == import_key
        keys |= set(connection.execute(select(table.c.run_key).where(mine)).scalars())
        taken = connection.execute(update(table).where(mine).values(correct=None, grade_import_key=None))
        n_taken += taken.rowcount
    _count_ungraded(connection, keys)
    return n_taken


def grade_run(connection: Connection, run_id: str, correct: float, *, grader: str | None) -> None:
    """Set the grade of a run, and of its sample where it has one alone.

    Raises InvalidInput for an unknown run, a grade outside 0..1, and a run that logs samples without a choice.
    """
    if not isinstance(correct, Real):
        raise InvalidInput(f"correct: expected a number from 0 to 1, got {correct!r:.200}")
    if not 0 <= correct <= 1:
        raise InvalidInput(f"correct: {correct} lies outside 0..1")
    row = connection.execute(
        select(runs.c.run_key, runs.c.n_samples, arms.c.selection).join_from(runs, arms).where(runs.c.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise InvalidInput(f"no run {run_id!r} is logged: see `planner logs list`, or import its log first")
    if row.n_samples > 1 and row.selection is None:
        raise InvalidInput(
            f"run {run_id!r} logs {row.n_samples} samples and chose none: import it again with a grade on every sample"
        )
    values = {"correct": correct, "grade_import_key": None}
    connection.execute(update(runs).where(runs.c.run_key == row.run_key).values(grader=grader, **values))
    if row.n_samples == 1:
        connection.execute(update(samples).where(samples.c.run_key == row.run_key).values(**values))
    _count_ungraded(connection, {row.run_key})


def _grade_lone(connection: Connection, run_keys: Collection[int], import_key: int) -> int:
    """Give runs' grades to their lone samples that have none."""
    if not run_keys:
        return 0
    own = select(runs.c.correct).where(runs.c.run_key == samples.c.run_key).scalar_subquery()
    mine = samples.c.run_key == bindparam("k")
    statement = update(samples).where(mine, samples.c.correct.is_(None), own.is_not(None))
    values = {"correct": own, "grade_import_key": import_key}
    return connection.execute(statement.values(**values), [{"k": key} for key in run_keys]).rowcount


def _grades(batch: Batch, known: Mapping[str, _Logged]) -> tuple[list[tuple[int, float]], list[dict[str, Any]]]:
    """Grades that the batch has for known runs, and for their samples, where one may be missing."""
    columns, rows = batch.runs, batch.samples
    of_runs = [
        (known[run_id].key, correct)
        for run_id, correct in zip(columns.run_id, columns.correct, strict=True)
        if correct is not None and known[run_id].is_ungraded
    ]
    lacking = {
        place: known[run_id].key
        for place, run_id in enumerate(columns.run_id)
        if known[run_id].n_ungraded and known[run_id].n_samples
    }
    of_samples = [
        {"k": lacking[run], "c": chain, "a": attempt, "s": stage, "y": correct}
        for run, chain, attempt, stage, correct in zip(
            rows.run, rows.chain, rows.attempt, rows.stage, rows.correct, strict=True
        )
        if run in lacking and correct is not None
    ]
    return of_runs, of_samples


def _count_ungraded(connection: Connection, run_keys: Collection[int]) -> None:
    if run_keys:
        connection.execute(
            text(
                "UPDATE runs SET n_ungraded = CASE WHEN n_samples > 0 "
                "THEN (SELECT count(*) FROM samples WHERE samples.run_key = runs.run_key AND correct IS NULL) "
                "WHEN correct IS NULL THEN 1 ELSE 0 END WHERE run_key = :key"
            ),
            [{"key": key} for key in run_keys],
        )
