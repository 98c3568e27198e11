"""Serving from a SQLite file without SQLAlchemy, whose import takes longer than all else in a cold start."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Self

from planner.core import Recommendation
from planner.store.sqlite_time import sqlite_time
from planner.store.version import HEAD
from planner.store.writer import COLUMNS, CREATED_AT, RecommendationWriter, Row

BUSY_TIMEOUT_SECONDS = 30
ROWS_A_STATEMENT = 100
"""SQLite lets go of the interpreter once a statement: with one a row it and who serves would wait for each other."""
CHECKPOINT_PAGES = 125
"""Of the write-ahead log: a thousand, as is usual, take the core from those who serve for tens of milliseconds."""


class ServedPolicy(NamedTuple):
    """The promoted policy, and where its artifact was written."""

    policy_id: str
    artifact_path: str


class QuickStore:
    """What serving needs of a store: the promoted policy, and a place for recommendations.

    Does what `Store` does by the methods of the same names; a test holds it to that. Safe to share between threads.
    """

    def __init__(self, path: Path, url: str) -> None:
        """Prefer `QuickStore.open`."""
        self.path = path
        self._url = url
        # Who reads waits for no writer, neither for the one of this process nor, through it, for that of another.
        self._reading, self._writing = _connected(path), _connected(path)
        self._read_lock, self._write_lock = threading.Lock(), threading.Lock()
        # As `Store` sets them. Without the pages of indexes at hand rows would read some.
        self._writing.execute("PRAGMA synchronous = NORMAL")
        self._writing.execute("PRAGMA cache_size = -65536")
        self._writing.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self._writer = RecommendationWriter(self._insert)

    @classmethod
    def open(cls, url: str) -> Self | None:
        """The SQLite file at `url` if it is whole and of our version, else None: `Store` has words for all else."""
        text = url.removeprefix("sqlite:///")
        path = Path(text)
        if text == url or not text or "?" in text or "%" in text or not path.is_file():
            return None
        try:
            store = cls(path, url)
            with closing(store._reading.execute("SELECT version_num FROM alembic_version")) as cursor:
                current = cursor.fetchone() == (HEAD,)
        except sqlite3.Error:
            return None
        if not current:
            store.close()
            return None
        return store

    def close(self) -> None:
        """Write what waits to be written, and let go of the file."""
        try:
            self._writer.close()
        finally:
            self._reading.close()
            self._writing.close()

    def active_policy(self) -> ServedPolicy | None:
        """The promoted policy, if there is one."""
        with self._words(), self._read_lock:
            query = "SELECT policy_id, artifact_path FROM policies WHERE status = 'promoted'"
            row = self._reading.execute(query).fetchone()
        return None if row is None else ServedPolicy(*row)

    def record(self, served: Sequence[Recommendation]) -> None:
        """Store recommendations in the background: at most a second late, all of them by `close`."""
        self._writer.put(served)

    def flush(self) -> None:
        """Wait until every recommendation is stored."""
        self._writer.flush()

    def _insert(self, rows: Sequence[Row], *, again: bool = False) -> None:
        text_of = {moment: sqlite_time(moment) for moment in {row[CREATED_AT] for row in rows}}
        statement = f"INSERT {'OR IGNORE ' * again}INTO recommendations ({', '.join(COLUMNS)}) VALUES "  # noqa: S608 - own
        marks = f"({', '.join('?' * len(COLUMNS))})"
        with self._words(), self._write_lock:
            self._writing.execute("BEGIN IMMEDIATE")
            try:
                for start in range(0, len(rows), ROWS_A_STATEMENT):
                    part = rows[start : start + ROWS_A_STATEMENT]
                    values: list[object] = list(chain.from_iterable(part))
                    values[CREATED_AT :: len(COLUMNS)] = [text_of[row[CREATED_AT]] for row in part]
                    self._writing.execute(statement + ", ".join([marks] * len(part)), values)
            except BaseException:
                self._writing.execute("ROLLBACK")
                raise
            self._writing.execute("COMMIT")

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error:
            from planner.store.engine import Database  # noqa: PLC0415 - it has the words, and imports SQLAlchemy

            with Database(self._url).errors_in_words():
                raise


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
