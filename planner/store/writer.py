"""Recommendations that were served, written in the background; without SQLAlchemy, whose import is slow."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from planner.core import Recommendation
from planner.errors import StoreError

MAX_DELAY_SECONDS = 0.2
"""How long a recommendation may wait for others to be written with: many at once would hold up those who serve."""
BATCH_ROWS = 1_000
AGAIN_SECONDS = 1.0
"""How soon a store that was away is tried again."""
MOST_WAITING = 64_000
"""A writer that falls so many rows behind makes those who serve wait, rather than memory grow."""

_Item = tuple[datetime, Sequence[Recommendation]]
Columns = dict[str, list[Any]]


class Insert(Protocol):
    """Inserts columns of so many rows in one transaction; `again` leaves out those that an earlier try has stored."""

    def __call__(self, columns: Columns, n_rows: int, /, *, again: bool) -> None:
        """Raise StoreError where the database is away for now."""


class RecommendationWriter:
    """One thread that writes recommendations in batches, at most a second late.

    `put` only queues. While the store is away they are kept and tried again; `flush` and `close` raise StoreError
    then, and so does `put` when too many wait or some could not be written at all.
    """

    def __init__(self, write: Insert) -> None:
        """Nothing is started before the first `put`."""
        self._insert = write
        self._queue: queue.Queue[_Item | None] = queue.Queue()
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
        if self._thread is None:
            self._start()
        if self._n_waiting > MOST_WAITING:
            self.flush()
        with self._lock:
            self._n_waiting += len(served)
        now = datetime.now(UTC)
        for start in range(0, len(served), BATCH_ROWS):
            self._queue.put((now, served[start : start + BATCH_ROWS]))

    def flush(self) -> None:
        """Wait until all that was put is written."""
        self._hurry.set()
        if self._away is not None:
            self._queue.put((datetime.now(UTC), ()))  # what is kept is tried once more
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

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="planner-recommendations", daemon=True)
                self._thread.start()

    def _raise_error(self) -> None:
        error, self._lost = self._lost or self._away, None
        if error is not None:
            raise StoreError(f"recommendations could not be stored: {error}") from error

    def _work(self) -> None:
        ended = False
        kept: list[_Item] = []
        while not ended:
            items = self._gathered(AGAIN_SECONDS if kept else None)
            ended = None in items
            kept += [item for item in items if item is not None]
            n_rows = sum(len(served) for _, served in kept)
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

    def _gathered(self, wait_seconds: float | None) -> list[_Item | None]:
        """The next item with what else comes soon; nothing if none comes in time."""
        try:
            first = self._queue.get(timeout=wait_seconds)
        except queue.Empty:
            return []
        return [first, *self._more()] if first is not None else [None]

    def _more(self) -> list[_Item | None]:
        """What else comes within the delay, up to the end."""
        # Asleep for the whole of it: a thread that woke for every item would take the interpreter from who serves.
        self._hurry.wait(MAX_DELAY_SECONDS)
        items: list[_Item | None] = []
        while None not in items:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _write(self, items: Sequence[_Item], *, again: bool) -> None:
        served = [(moment, one) for moment, several in items for one in several]
        # In transactions of some megabytes: the memory and the log file of one serve the next.
        for start in range(0, len(served), BATCH_ROWS):
            part = served[start : start + BATCH_ROWS]
            columns: Columns = {
                "recommendation_id": [one.recommendation_id for _, one in part],
                "prompt_id": [one.prompt_id for _, one in part],
                "policy_id": [one.policy_id for _, one in part],
                "propensity": [one.propensity for _, one in part],
                "created_at": [moment for moment, _ in part],
                "body": [one.as_json() for _, one in part],
            }
            self._insert(columns, len(part), again=again)
