"""What runs spend, on disk as it is spent: a process that is killed leaves it behind, and the next one logs it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Self

from planner.core import Run
from planner.errors import NotReady, StoreError
from planner.texts.sketch import sketch

LOGGER = logging.getLogger("planner.execution")
_SUFFIX = ".jsonl"
MOST_BYTES_OVER = 1_000_000
"""Of runs that are over, in a journal that others keep open: with more it is written anew, without them."""
KILLED = "its process ended"


@dataclass(frozen=True)
class PromptHash:
    """What is kept of a prompt whose text is not to be stored: SHA-256 in hex, its length, its sketch in hex."""

    sha256: str
    n_characters: int
    sketch: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """What is kept of a text."""
        return cls(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), len(text), sketch(text).hex())


@dataclass(frozen=True)
class Recovered:
    """A run that a process left behind, with what it had spent; `hashed` where its text was not to be stored."""

    run: Run
    hashed: PromptHash | None


@dataclass
class _Open:
    """Lines of one run that is under way: how it began, and the latest of what it spent."""

    begun: bytes
    spent: bytes = b""


class Journal:
    """One file of this process, a line an event, written at once; an advisory lock says that the process lives."""

    def __init__(self, folder: Path) -> None:
        """The journal of this process in `folder`, which is made; nothing is written before the first run."""
        self._folder = folder
        self._file: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._open_runs: dict[str, _Open] = {}
        self._closing = False
        self._lock = threading.Lock()

    def begin(self, run: Run, hashed: PromptHash | None = None) -> None:
        """A run begins: how it will be logged if nothing more is heard of it. It needs a `run_id`."""
        assert run.run_id is not None
        header = run.model_dump(mode="json", exclude_defaults=True)
        line = _line({"run": header, "hashed": None if hashed is None else astuple(hashed)})
        with self._lock, _words(self._folder):
            self._put(line)
            self._open_runs[run.run_id] = _Open(line)

    def spend(self, run_id: str, spent: Mapping[str, float | None]) -> None:
        """All that a run has spent so far, in columns of a `Run`; nothing for one that is not open."""
        with self._lock, _words(self._folder):
            one = self._open_runs.get(run_id)
            if one is not None:
                line = _line({"id": run_id, "spent": dict(spent)})
                self._put(line)
                one.spent = line

    def end(self, run_ids: list[str]) -> None:
        """These runs are in the store."""
        with self._lock, _words(self._folder):
            for run_id in run_ids:
                self._open_runs.pop(run_id, None)
            if self._file is None:
                return
            if self._open_runs:
                self._put(_line({"ended": run_ids}))
                self._leave_out_what_is_over(self._file)
            elif self._closing:
                self._let_go()
            else:
                os.ftruncate(self._file, 0)  # texts of prompts are kept for no longer than they are needed
                self._size = 0

    def close(self, *, given_up: bool = False) -> None:
        """Let go of the file, which is removed; with runs that are still under way, when the last of them has ended.

        given_up: runs in it could not be stored, and are left there for whoever looks for them next.
        """
        with self._lock:
            if given_up:
                self._let_go()
                self._open_runs.clear()
            elif self._open_runs:
                self._closing = True
            else:
                self._let_go()

    def _let_go(self) -> None:
        if self._file is not None and self._path is not None:
            if not self._open_runs:
                self._path.unlink(missing_ok=True)
            os.close(self._file)
        self._file, self._path, self._closing = None, None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _put(self, line: bytes) -> None:
        if self._file is None or self._path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
            self._file = _locked(self._path, b"")
        _write(self._file, line)
        self._size += len(line)

    def _leave_out_what_is_over(self, file: int) -> None:
        """Write anew what is under way, where much more than that stands there: under load it is never empty."""
        under_way = [line for one in self._open_runs.values() for line in (one.begun, one.spent)]
        if self._size > 2 * sum(map(len, under_way)) + MOST_BYTES_OVER:
            assert self._path is not None
            content = b"".join(under_way)
            self._file, self._size = _locked(self._path, content), len(content)
            os.close(file)


def _line(event: Mapping[str, Any]) -> bytes:
    # It begins a line of its own, whatever became of the one before on a full disk.
    return b"\n" + json.dumps(event, ensure_ascii=True).encode()


def _write(file: int, content: bytes) -> None:
    while content:  # a disk that is nearly full takes a part without an error
        content = content[os.write(file, content) :]


def _locked(path: Path, content: bytes) -> int:
    """A file of that name and content, in place of one that was there.

    Locked before it bears its name: whoever looks for journals of the dead never sees it unlocked.
    """
    fresh = path.with_name(f".{path.stem}")
    file = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _write(file, content)
        fresh.rename(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def is_under_way(folder: Path, run_id: str) -> bool:
    """Whether a run stands in the journal of any process: it is not over, or not in the store yet."""
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # its process has ended since
            if run_id in _begun(path):
                return True
    return False


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Hold what bears the name for this process alone, as long as it lives; raises NotReady while another holds it."""
    path = folder / f"{name}.lock"
    with _words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not (_is_locked(lock) and path.exists() and os.path.samestat(os.fstat(lock), path.stat())):
            raise NotReady(
                f"{name} is running already: wait until it has ended, or end it; then ask for the same again"
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


@contextmanager
def left_behind(folder: Path) -> Iterator[list[Recovered]]:
    """Runs in journals of processes that are no more; leaving the block without an error removes these journals."""
    taken: list[tuple[Path, int]] = []
    try:
        with _words(folder):
            for path in sorted(folder.glob(f"*{_SUFFIX}")):
                file = _take(path)
                if file is not None:
                    taken.append((path, file))
        found = {path: _readable(path) for path, _ in taken}
        yield [run for runs in found.values() for run in runs or ()]
        for path, runs in found.items():
            if runs is not None:
                path.unlink(missing_ok=True)
    finally:
        for _, file in taken:
            os.close(file)


def _take(path: Path) -> int | None:
    """A lock on a journal whose process is no more."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    # One that was written anew since is locked under its name, and left unlocked without one.
    if _is_locked(file) and path.exists() and os.path.samestat(os.fstat(file), path.stat()):
        return file
    os.close(file)
    return None


def _is_locked(file: int) -> bool:
    """Whether the lock on an open file is this process's from now on."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _readable(path: Path) -> list[Recovered] | None:
    """The runs of a journal; one that cannot be read is set aside under another name: None."""
    try:
        return _read(path)
    except (ValueError, LookupError, TypeError) as error:
        aside = path.with_suffix(".unreadable")
        path.rename(aside)
        LOGGER.warning("the journal of runs %s cannot be read (%s): it is set aside", aside, error)
        return None


def _read(path: Path) -> list[Recovered]:
    return [
        Recovered(Run.model_validate(header), None if hashed is None else PromptHash(*hashed))
        for header, hashed in _begun(path).values()
    ]


def _begun(path: Path) -> dict[str, tuple[dict[str, Any], list[Any] | None]]:
    """Runs that began and did not end, by their ids."""
    begun: dict[str, tuple[dict[str, Any], list[Any] | None]] = {}
    for line in path.read_bytes().split(b"\n"):
        with suppress(ValueError):  # a line that was being written when the process ended
            _take_in(begun, json.loads(line))
    return begun


def _take_in(begun: dict[str, tuple[dict[str, Any], list[Any] | None]], event: dict[str, Any]) -> None:
    if "run" in event:
        header = event["run"]
        begun[header["run_id"]] = (header, event["hashed"])
    elif "spent" in event:
        if event["id"] in begun:  # not where the disk was full as it began
            begun[event["id"]][0].update(event["spent"])
    else:
        for run_id in event["ended"]:
            begun.pop(run_id, None)


@contextmanager
def _words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"what runs spend cannot be written to {folder} ({error.strerror}): check its permissions and the disk"
        ) from error
