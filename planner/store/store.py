"""`Store`: the SQL store behind one door."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from planner.core import ModelCard, Recommendation, Run
from planner.core.batch import Written
from planner.errors import InvalidInput, PlannerError, StoreError
from planner.store import grades, housekeeping, models, outcomes, policies, recommendations
from planner.store.engine import Database
from planner.store.schema import check_schema, create_schema, is_blank
from planner.store.writer import RecommendationWriter

if TYPE_CHECKING:
    from pathlib import Path

    from planner.curves.logs import Logs
    from planner.store.importing import ImportSession


class Store:
    """Prompts, runs, samples, models, policies and recommendations in SQLite or PostgreSQL.

    Safe to share between threads. Every method raises StoreError, with what to do, where the database cannot
    be reached, read or written; the store is then as it was before.
    """

    def __init__(self, database: Database) -> None:
        """Prefer `Store.open`."""
        self.database = database
        self._writer = RecommendationWriter(partial(recommendations.insert_recommendations, database))

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open the store at a database URL; a SQLite file that is not there is made, if `create`.

        Raises SchemaOutdated, naming the command that helps, where the schema is missing or behind;
        StoreError where it cannot be reached; InvalidInput for a URL that cannot be read.
        """
        database = Database(url)
        path = database.path
        if path is not None and not path.exists() and not create:
            raise StoreError(f"there is no store at {path}: run `planner db init`, or import logs to make one")
        try:
            if path is not None and create and is_blank(database):
                create_schema(database)
            check_schema(database)
        except PlannerError:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Write what waits to be written, and close all connections."""
        try:
            self._writer.close()
        finally:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def begin_import(
        self,
        *,
        source: str,
        sha256: str | None = None,
        format: str | None = None,  # noqa: A002 - as the command line has it
        store_prompt_text: bool = True,
        now: datetime | None = None,
        import_id: str | None = None,
    ) -> Iterator[ImportSession]:
        """One import in one transaction: leaving the block keeps all of it, an error in it nothing.

        `import_id`: go on with the import of that id, or begin it. Without `store_prompt_text` only hash, id, length
        and sketch (`planner.texts.sketch`) of a prompt are kept, of its answers no texts, and long ones as hashes.
        """
        from planner.store.importing import begin_import  # noqa: PLC0415 - numpy is no part of a look-up

        with begin_import(
            self.database,
            source=source,
            sha256=sha256,
            format_name=format,
            store_prompt_text=store_prompt_text,
            now=now or datetime.now(UTC),
            import_id=import_id,
        ) as session:
            yield session

    def append(
        self,
        runs: Sequence[Run],
        *,
        source: str = "api",
        store_prompt_text: bool = True,
        import_id: str | None = None,
    ) -> Written:
        """Append runs as one import, or to the import of that id, which is begun where there is none.

        Raises BadLog for a prompt without a text, or with a second one.
        """
        from planner.store.rows import as_batch  # noqa: PLC0415

        with self.begin_import(source=source, store_prompt_text=store_prompt_text, import_id=import_id) as session:
            return session.write(as_batch(runs))

    def add_hashed_prompt(
        self, prompt_id: str, *, text_sha256: str, n_characters: int, sketch: bytes | None = None
    ) -> str:
        """Make a prompt known by the hash of its text, and its sketch, so that runs on it can be appended.

        Gives the id to append them by: the hash, where `prompt_id` stands for another text.
        """
        from planner.store.registry import add_hashed_prompt  # noqa: PLC0415

        with self.database.writing() as connection:
            return add_hashed_prompt(
                connection, prompt_id, text_sha256=text_sha256, n_characters=n_characters, own_sketch=sketch
            )

    def grade(self, run_id: str, *, correct: float, grader: str | None = None) -> None:
        """Set the grade of a run, 0..1. Raises InvalidInput for an unknown run or a grade that cannot be."""
        try:
            with self.database.writing() as connection:
                grades.grade_run(connection, run_id, correct, grader=grader)
        except UnicodeEncodeError as error:
            raise InvalidInput(f"no run {run_id!r} is logged: ids are text in UTF-8, and this is none") from error

    def read_logs(
        self,
        *,
        datasets: Sequence[str] | None = None,
        exclude_datasets: Sequence[str] = (),
        generators: Sequence[str] | None = None,
        exclude_generators: Sequence[str] = (),
        since: datetime | None = None,
    ) -> Logs:
        """Logged runs as narrow columns, for a fit; the order depends only on what is logged.

        `since` looks at a run's start, or where that is not logged at its import.
        """
        from planner.store.logs import read_logs  # noqa: PLC0415
        from planner.store.reading import LogFilter  # noqa: PLC0415

        chosen = LogFilter(datasets, exclude_datasets, generators, exclude_generators, since)
        return read_logs(self.database, chosen)

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The files that it is kept in; none with a server."""
        return self.database.files

    def check_names(self, *, datasets: Sequence[str] = (), generators: Sequence[str] = ()) -> None:
        """Raise InvalidInput for a data set or a generator that nothing is logged of."""
        with self.database.reading() as connection:
            housekeeping.check_names(connection, datasets, generators)

    def stream_runs(
        self, *, datasets: Sequence[str] | None = None, generators: Sequence[str] | None = None
    ) -> Iterator[Run]:
        """Complete runs as they were logged, texts included, those of one prompt together; memory stays small.

        Raises InvalidInput for a data set or generator that no run is logged of.
        """
        from planner.store.reading import LogFilter  # noqa: PLC0415
        from planner.store.streaming import stream_runs  # noqa: PLC0415

        self.check_names(datasets=datasets or (), generators=generators or ())
        return stream_runs(self.database, LogFilter(datasets, generators=generators))

    def find_runs(self, run_ids: Sequence[str]) -> Iterator[Run]:
        """Those of the runs that are logged, complete, in no order."""
        from planner.store.streaming import find_runs  # noqa: PLC0415

        return find_runs(self.database, run_ids)

    def models(self) -> list[models.StoredModel]:
        """All models, by name."""
        with self.database.reading() as connection:
            return models.read_models(connection)

    def save_models(self, cards: Sequence[ModelCard]) -> None:
        """Add model cards; of a known name, what a card says replaces what was known, and what it leaves out stays."""
        with self.database.writing() as connection:
            models.save_models(connection, cards)

    def imports(self) -> list[housekeeping.ImportRow]:
        """All imports, the newest first."""
        with self.database.reading() as connection:
            return housekeeping.list_imports(connection)

    def count(self) -> housekeeping.Counts:
        """How many rows there are."""
        with self.database.reading() as connection:
            return housekeeping.count(connection)

    def stats(self) -> list[housekeeping.LogStats]:
        """Runs by data set, generator, verifier and search."""
        with self.database.reading() as connection:
            return housekeeping.log_stats(connection)

    def undo(self, import_id: str) -> housekeeping.Removed:
        """Take out the runs of an import, and prompts that only it had. Raises InvalidInput for an unknown id."""
        with self.database.writing() as connection:
            return housekeeping.undo_import(connection, import_id)

    def delete(
        self, *, datasets: Sequence[str] = (), generators: Sequence[str] = (), before: datetime | None = None
    ) -> housekeeping.Removed:
        """Take out the runs that meet all conditions given; raises InvalidInput where none is given."""
        with self.database.writing() as connection:
            return housekeeping.delete_runs(connection, datasets=datasets, generators=generators, before=before)

    def add_policy(
        self, policy_id: str, *, artifact_path: str, summary: Mapping[str, Any], reason: str | None = None
    ) -> policies.PolicyRow:
        """Add a fitted policy as a candidate."""
        with self.database.writing() as connection:
            return policies.add_policy(
                connection,
                policy_id,
                artifact_path=artifact_path,
                summary=summary,
                reason=reason,
                now=datetime.now(UTC),
            )

    def list_policies(self) -> list[policies.PolicyRow]:
        """All policies, the newest first."""
        with self.database.reading() as connection:
            return policies.list_policies(connection)

    def active_policy(self) -> policies.PolicyRow | None:
        """The promoted policy, if there is one."""
        with self.database.reading() as connection:
            return policies.active_policy(connection)

    def promote_policy(self, policy_id: str, *, reason: str) -> policies.PolicyRow:
        """Serve this policy from now on; raises InvalidInput for an unknown one."""
        with self.database.writing() as connection:
            return policies.promote_policy(connection, policy_id, reason=reason, now=datetime.now(UTC))

    def rollback_policy(self, *, check: Callable[[policies.PolicyRow], object] = lambda _: None) -> policies.PolicyRow:
        """Serve what was promoted before, if `check` does not raise; raises NotReady where nothing was."""
        with self.database.writing() as connection:
            return policies.rollback_policy(connection, check=check)

    def start_fit(self, fit_id: str, settings: Mapping[str, Any], *, alone: bool = False) -> bool:
        """Note that a fit began, and say that it did: not where it has to be `alone` and another stands as running."""
        with self.database.writing() as connection:
            return policies.start_fit(connection, fit_id, settings, alone=alone, now=datetime.now(UTC))

    def finish_fit(self, fit_id: str, *, policy_id: str | None = None, error: str | None = None) -> None:
        """Note how a fit ended: with a policy, or with an error."""
        with self.database.writing() as connection:
            policies.finish_fit(connection, fit_id, policy_id=policy_id, error=error, now=datetime.now(UTC))

    def end_lost_fits(self, *, but: str | None = None, only: Collection[str] | None = None) -> int:
        """Note of every fit (of those in `only`) that stands as running, except `but`, that its process ended.

        Gives how many.
        """
        with self.database.writing() as connection:
            return policies.end_lost_fits(connection, but=but, only=only, now=datetime.now(UTC))

    def fits(self) -> list[policies.FitRow]:
        """All fits, the newest first."""
        with self.database.reading() as connection:
            return policies.list_fits(connection)

    def record(self, served: Sequence[Recommendation]) -> None:
        """Store recommendations in the background: at most a second late, all of them by `close`.

        Raises StoreError if earlier ones could not be stored.
        """
        self._writer.put(served)

    def flush(self) -> None:
        """Wait until every recommendation is stored."""
        self._writer.flush()

    def served(
        self, *, limit: int = 100, before: int | None = None, carried_out: bool | None = None
    ) -> list[outcomes.Served]:
        """The latest recommendations with what became of them, the newest first; `before` goes on from a key."""
        with self.database.reading() as connection:
            return outcomes.served(connection, limit=limit, before=before, carried_out=carried_out)

    def has_run(self, run_id: str) -> bool:
        """Whether a run of that id is logged."""
        with self.database.reading() as connection:
            return outcomes.has_run(connection, run_id)

    def has_runs(self) -> bool:
        """Whether any run is logged; at once, however many there are."""
        with self.database.reading() as connection:
            return outcomes.has_runs(connection)

    def ping(self) -> None:
        """Raise StoreError where the database cannot be reached, SchemaOutdated where it is not ours."""
        check_schema(self.database)

    def recommendation(self, recommendation_id: str) -> Recommendation | None:
        """A stored recommendation, if there is one."""
        with self.database.reading() as connection:
            return recommendations.find_recommendation(connection, recommendation_id)
