"""Recommendations that were served, written in the background; without SQLAlchemy, whose import is slow."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol

from pydantic_core import PydanticSerializationError

from planner.core import Recommendation
from planner.errors import StoreError

MAX_DELAY_SECONDS = 0.2
"""How long a recommendation may wait for others to be written with: many at once would hold up those who serve."""
LEAST_ROWS, MOST_ROWS, MOST_PAUSES, PAUSE_SECONDS = 32, 1_000, 32, 0.004
"""Rows of one transaction, and the time until the next: hundreds at once would take the core from those who serve for
milliseconds. A large batch is written in so many transactions, so that it is stored within its second all the same."""
AGAIN_SECONDS = 1.0
"""How soon a store that was away is tried again."""
NICENESS = 5
"""Of the thread that writes: where it shares a core with those who serve, they go first."""
MOST_WAITING = 64_000
"""A writer that falls so many rows behind makes those who serve wait, rather than memory grow."""

COLUMNS = ("recommendation_id", "prompt_id", "policy_id", "propensity", "created_at", "body")
CREATED_AT: Final = 4
Row = tuple[str, str, str, float, datetime, str]
"""Values by `COLUMNS`: a bare tuple, since a named one takes several times as long to make."""


class Insert(Protocol):
    """Inserts rows in one transaction; `again` leaves out those that an earlier try has stored."""

    def __call__(self, rows: Sequence[Row], /, *, again: bool) -> None:
        """Raise StoreError where the database is away for now."""


class RecommendationWriter:
    """One thread that writes recommendations in batches, at most a second late.

    `put` makes their words and queues them. While the store is away they are kept and tried again; `flush` and `close`
    raise StoreError then, and so does `put` when too many wait or some could not be written at all.
    """

    def __init__(self, write: Insert) -> None:
        """Nothing is started before the first `put`."""
        self._insert = write
        self._queue: queue.Queue[list[Row] | None] = queue.Queue()
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._away: StoreError | None = None
        self._lost: Exception | None = None
        self._hurry = threading.Event()

    def put(self, served: Sequence[Recommendation]) -> None:
        """Queue recommendations; see the class for when it raises StoreError."""
        if self._lost is not None:
            self._raise_error()
        if not served:
            return
        if self._n_waiting > MOST_WAITING:
            self.flush()
        rows = self._rows(served)
        with self._lock:
            self._n_waiting += len(rows)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="planner-recommendations", daemon=True)
                self._thread.start()
            self._queue.put(rows)

    def flush(self) -> None:
        """Wait until all that was put is written."""
        with self._lock:
            has_thread = self._thread is not None
            if has_thread and self._away is not None:
                self._queue.put([])  # what is kept is tried once more
        if has_thread:  # after a `close` that failed nobody would take what is put
            self._hurry.set()
            self._queue.join()
            self._hurry.clear()
        self._raise_error()

    def close(self) -> None:
        """Write what is queued and end the thread; it may be called twice."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._hurry.set()
            self._queue.put(None)
            thread.join()
            self._hurry.clear()
        self._raise_error()

    def _rows(self, served: Sequence[Recommendation]) -> list[Row]:
        """Put into words by who serves.

        Left to the thread, the objects of some hundred recommendations would wait, and the collector of cycles look
        through them again and again; and their words would take the interpreter from who serves for milliseconds.
        """
        now = datetime.now(UTC)
        rows: list[Row] = []
        for one in served:
            try:
                rows.append((one.recommendation_id, one.prompt_id, one.policy_id, one.propensity, now, one.json_text))
            except PydanticSerializationError as error:  # an id that is no valid UTF-8
                self._lost = error
        return rows

    def _raise_error(self) -> None:
        error, self._lost = self._lost or self._away, None
        if error is not None:
            raise StoreError(f"recommendations could not be stored: {error}") from error

    def _work(self) -> None:
        _step_back()
        ended = False
        kept: list[Row] = []
        while not ended:
            items = self._gathered(AGAIN_SECONDS if kept else None)
            ended = None in items
            kept += [row for rows in items if rows is not None for row in rows]
            n_rows = len(kept)
            try:
                self._write(kept, again=self._away is not None)
                kept, self._away = [], None
            except StoreError as error:
                self._away = error
            except Exception as error:  # noqa: BLE001 - a thread that dies would leave `flush` waiting for ever
                kept, self._away, self._lost = [], None, error
            finally:
                if not kept:
                    with self._lock:
                        self._n_waiting -= n_rows
                for _ in items:
                    self._queue.task_done()

    def _gathered(self, wait_seconds: float | None) -> list[list[Row] | None]:
        """The next item with what else comes soon; nothing if none comes in time."""
        try:
            first = self._queue.get(timeout=wait_seconds)
        except queue.Empty:
            return []
        return [first, *self._more()] if first is not None else [None]

    def _more(self) -> list[list[Row] | None]:
        """What else comes within the delay, up to the end."""
        # Asleep for the whole of it: a thread that woke for every item would take the interpreter from who serves.
        self._hurry.wait(MAX_DELAY_SECONDS)
        items: list[list[Row] | None] = []
        while None not in items:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _write(self, rows: Sequence[Row], *, again: bool) -> None:
        size = min(max(LEAST_ROWS, len(rows) // MOST_PAUSES), MOST_ROWS)
        for start in range(0, len(rows), size):
            if start:
                self._hurry.wait(PAUSE_SECONDS)
            self._insert(rows[start : start + size], again=again)


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere threads have no niceness of their own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
