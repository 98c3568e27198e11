"""One fit at a time over a folder of artifacts: a lock that the system lets go of when a process ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from planner.errors import NotReady

_NAME = "fit.lock"
_LOOK_SECONDS = 0.1
"""So long a turn that is held may be `fitting_now` looking at it, which takes microseconds, and not a fit."""
Progress = Callable[[float, float | None, str | None], None]


@contextmanager
def turn(folder: Path, fit_id: str, progress: Progress | None = None) -> Iterator[Progress]:
    """Hold the folder's turn to fit; the progress that is yielded is also written where `fitting_now` reads it.

    Raises NotReady while another process on this machine holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(lock):
            raise NotReady("a fit is running already: try again when it has ended")

        def report(done: float, total: float | None, stage: str | None) -> None:
            share = done / total if total else 0.0
            text = json.dumps({"fit_id": fit_id, "share": round(share, 4), "stage": stage}).encode()
            os.pwrite(lock, text, 0)
            os.ftruncate(lock, len(text))
            if progress is not None:
                progress(done, total, stage)

        report(0, 1, "starting")
        yield report
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    end = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_SECONDS / 50)
        else:
            return True


def fitting_now(folder: Path) -> dict[str, object] | None:
    """What is being fitted over the folder, {fit_id, share, stage}; None where no process holds the turn."""
    try:
        lock = os.open(folder / _NAME, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(lock)
    finally:
        os.close(lock)
    return None


def _read(lock: int) -> dict[str, object]:
    try:
        found = json.loads(os.pread(lock, 10_000, 0))
    except ValueError:  # read while it is written
        found = None
    return found if isinstance(found, dict) else {"fit_id": None, "share": None, "stage": None}
