"""One import: runs written in one transaction, all or nothing, each run_id once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select, update

from planner.core.batch import Batch, KnownPrompt, KnownRun, RunColumns, SampleColumns, ScoreScale, Written
from planner.errors import BadLog
from planner.store.batches import Booleans, grades, in_order, split
from planner.store.bulk import insert_columns, select_in
from planner.store.conflicts import Conflicts
from planner.store.engine import Database
from planner.store.grades import fill_grades
from planner.store.grown import grown_runs
from planner.store.registry import Registry, next_key
from planner.store.rows import ArmRow, without_text
from planner.store.tables import imports, prompts, runs, samples


class ImportSession:
    """An open import (`planner.core.batch.ImportSink`); made by `Store.begin_import`."""

    def __init__(
        self,
        connection: Connection,
        import_key: int,
        import_id: str,
        *,
        store_prompt_text: bool,
        before: Written | None = None,
    ) -> None:
        """`before`: what the import held already, where this goes on with it."""
        self.import_id = import_id
        self.written = before or Written()
        self._connection = connection
        self._import_key = import_key
        self._conflicts = Conflicts()
        self._registry = Registry(connection, import_key, self._conflicts, store_prompt_text=store_prompt_text)
        self._store_texts = store_prompt_text
        self._first_run = self._next_run = self._registry.first_run
        self._was_empty = self._first_run == 1
        self._written_ids: set[int] = set()
        self._is_finished = False

    def known_prompts(self, prompt_ids: Sequence[str]) -> Mapping[str, KnownPrompt]:
        """Those of the prompts that the store (this import included) knows."""
        return self._registry.known_prompts(prompt_ids)

    def known_runs(self, run_ids: Sequence[str]) -> Mapping[str, KnownRun]:
        """Those of the runs that the store (this import included) knows."""
        joined = (
            "runs JOIN prompts ON prompts.prompt_key = runs.prompt_key JOIN arms ON arms.arm_key = runs.arm_key "
            "JOIN models ON models.model_key = arms.generator_key"
        )
        columns = "run_id, prompt_id, models.name"
        rows = select_in(self._connection, columns, joined, "run_id", self._perhaps_known(run_ids))
        return {run_id: KnownRun(prompt_id, generator) for run_id, prompt_id, generator in rows}

    def score_scales(self) -> Mapping[str, ScoreScale]:
        """Scales remembered from earlier imports, by verifier."""
        query = select(imports.c.score_scales).where(imports.c.score_scales.is_not(None))
        texts = self._connection.execute(query.order_by(imports.c.import_key)).scalars()
        return {name: ScoreScale(**scale) for text in texts for name, scale in json.loads(text).items()}

    def write(self, batch: Batch) -> Written:
        """Add what is new; 10,000 sample rows or more at once are fastest.

        A run whose run_id is known, in the store or earlier in this import, only gets grades where it had none.
        Raises BadLog for a prompt without a text or with a second one, and for texts that are no valid UTF-8;
        the whole import is then undone.
        """
        try:
            written = self._write(batch)
        except UnicodeEncodeError as error:
            raise BadLog(f"a text is no valid UTF-8: {error}") from error
        self.written += written
        self._is_finished = False
        return written

    def warnings(self, *, answers_as_logged: bool = True) -> Sequence[str]:
        """What was given otherwise than it is stored, and so left out, with what to do; see `ImportSink.warnings`."""
        return list(self._conflicts.warnings(self._connection, answers_as_logged=answers_as_logged))

    def grown(self) -> Sequence[str]:
        """Which samples are now stored twice, with what to do; see `ImportSink.grown`."""
        return [] if self._was_empty else list(grown_runs(self._connection, self._first_run))

    def finish(self, *, warnings: Sequence[str] = (), score_scales: Mapping[str, ScoreScale] | None = None) -> None:
        """Keep what is to be remembered of this import; one that wrote no run and no grade leaves no record."""
        self._is_finished = True
        mine = imports.c.import_key == self._import_key
        done = self.written
        if done.runs == 0 and done.grades == 0:
            self._connection.execute(delete(prompts).where(prompts.c.import_key == self._import_key))
            self._connection.execute(delete(imports).where(mine))
            return
        scales = {name: asdict(scale) for name, scale in (score_scales or {}).items()}
        values = {
            "n_runs": done.runs,
            "n_samples": done.samples,
            "n_duplicates": done.duplicates,
            "n_graded": done.grades,
        }
        if warnings:
            values["warnings"] = json.dumps(list(warnings))  # type: ignore[assignment]
        if scales:
            values["score_scales"] = json.dumps(scales)  # type: ignore[assignment]
        self._connection.execute(update(imports).where(mine).values(**values))

    def close(self) -> None:
        """Finish what was not finished since the last batch."""
        if not self._is_finished:
            self.finish()

    def _write(self, batch: Batch) -> Written:
        n_filled = self._registry.add_prompts(batch.prompts)
        new, again = split(batch, self._fresh(batch.runs.run_id))
        self._insert(new)
        n_graded = self._note_again(again) if len(again.runs) else 0
        return Written(len(new.runs), len(new.samples), len(again.runs), n_graded, n_filled)

    def _note_again(self, batch: Batch) -> int:
        """Take what runs that are logged still lack from a batch that holds them again; give how many grades."""
        self._conflicts.note_samples(self._connection, batch, self._import_key)
        return fill_grades(self._connection, batch, import_key=self._import_key)

    def _fresh(self, run_ids: Sequence[str]) -> Booleans:
        """Which runs are met for the first time, in the store and in the batch."""
        known = select_in(self._connection, "run_id", "runs", "run_id", self._perhaps_known(run_ids))
        self._written_ids.update(map(hash, run_ids))
        fresh = np.ones(len(run_ids), dtype=np.bool_)
        if not known and len(set(run_ids)) == len(run_ids):
            return fresh
        seen = {run_id for (run_id,) in known}
        for place, run_id in enumerate(run_ids):
            fresh[place] = run_id not in seen
            seen.add(run_id)
        return fresh

    def _perhaps_known(self, run_ids: Sequence[str]) -> Sequence[str]:
        """Ids that need a look-up; into an empty store, only those whose hash this import has met."""
        if not self._was_empty:
            return run_ids
        return [run_id for run_id in run_ids if hash(run_id) in self._written_ids]

    def _insert(self, batch: Batch) -> None:
        """Add runs that are new, with their samples."""
        batch, owner = in_order(batch)
        n_samples = np.bincount(owner, minlength=len(batch.runs))
        correct, n_ungraded = grades(batch, owner, n_samples)
        keys = self._next_run + np.arange(len(batch.runs))
        self._next_run += len(batch.runs)
        position = np.arange(len(owner)) - np.repeat(np.cumsum(n_samples) - n_samples, n_samples)
        self._insert_runs(batch.runs, run_key=keys, n_samples=n_samples, n_ungraded=n_ungraded)
        self._insert_samples(batch.samples, run_key=keys[owner], position=position, correct=correct)

    def _insert_runs(self, columns: RunColumns, **made: NDArray[np.int64]) -> None:
        arms = map(
            ArmRow,
            columns.generator, columns.verifier, columns.search, columns.selection,
            columns.breadth, columns.depth, columns.params,
        )  # fmt: skip
        values = {name: getattr(columns, name) for name in _RUN_FIELDS} | {
            "prompt_key": self._registry.prompt_keys(columns.prompt_id),
            "arm_key": self._registry.arm_keys(list(arms)),
            "import_key": repeat(self._import_key),
        }
        insert_columns(self._connection, runs, values | made | self._without_texts(columns), len(columns))

    def _insert_samples(self, columns: SampleColumns, **made: NDArray[Any]) -> None:
        values = {name: getattr(columns, name) for name in _SAMPLE_FIELDS} | {
            "status": [None if status == "ok" else status for status in columns.status],
            "step_scores": [None if s is None else json.dumps(list(s)) for s in columns.step_scores],
            "generator_key": self._registry.model_keys(columns.generator, "generator"),
            "verifier_key": self._registry.model_keys(columns.verifier, "orm"),
        }
        insert_columns(self._connection, samples, values | made | self._without_texts(columns), len(columns))

    def _without_texts(self, columns: RunColumns | SampleColumns) -> dict[str, list[str | None]]:
        """What stands for answers where no texts are kept: they say their questions again."""
        if self._store_texts:
            return {}
        answers = [answer if answer is None else without_text(answer) for answer in columns.answer]
        return {"answer": answers} | ({"text": [None] * len(columns)} if isinstance(columns, SampleColumns) else {})


_RUN_FIELDS = (
    "run_id", "answer", "correct", "prompt_tokens", "completion_tokens", "verifier_calls", "verifier_tokens",
    "usd", "latency_seconds", "status", "recommendation_id", "propensity", "started_at",
)  # fmt: skip
_SAMPLE_FIELDS = (
    "chain", "attempt", "answer", "score", "score_min", "prompt_tokens", "completion_tokens", "verifier_tokens",
    "latency_seconds", "text", "stage",
)  # fmt: skip


@contextmanager
def begin_import(
    database: Database,
    *,
    source: str,
    sha256: str | None,
    format_name: str | None,
    store_prompt_text: bool,
    now: datetime,
    import_id: str | None = None,
) -> Iterator[ImportSession]:
    """See `Store.begin_import`."""
    with database.writing(trusted=True) as connection:
        known = None if import_id is None else _known(connection, import_id)
        if import_id is not None and known is not None:
            key, before = known
            session = ImportSession(connection, key, import_id, store_prompt_text=store_prompt_text, before=before)
            yield session
            session.close()
            return
        key, name = next_key(connection, imports.c.import_key), import_id or _new_id(connection, now)
        row = {"import_key": key, "import_id": name, "source": source, "sha256": sha256, "format": format_name}
        counts = dict.fromkeys(("n_runs", "n_samples", "n_duplicates", "n_graded"), 0)
        connection.execute(insert(imports), row | counts | {"imported_at": now})
        session = ImportSession(connection, key, name, store_prompt_text=store_prompt_text)
        yield session
        session.close()


def _known(connection: Connection, import_id: str) -> tuple[int, Written] | None:
    names = ("import_key", "n_runs", "n_samples", "n_duplicates", "n_graded")
    query = select(*(imports.c[name] for name in names)).where(imports.c.import_id == import_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], Written(*row[1:]))


def _new_id(connection: Connection, now: datetime) -> str:
    stem = name = now.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    number = 1
    while connection.execute(select(imports.c.import_key).where(imports.c.import_id == name)).first():
        number += 1
        name = f"{stem}-{number}"
    return name
