"""The file of the lines that an import left out, and the name that it gets."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from planner.core.whole_file import is_among, whole_file
from planner.formats.problems import Problems

_BEGINNING = b'{"reason": '
"""How a file of rejected lines begins, see `Problems.add`."""
_Identity = tuple[int, int, int]


class RejectedLines:
    """Rejected lines of one import: `path` is where they are once it is through.

    They go to the file asked for, else to one named after the first of `files`, in the working folder; that name may
    change when they are put there, if another import has used it meanwhile.
    """

    def __init__(self, asked: Path | None, files: Sequence[Path], own_files: Sequence[Path]) -> None:
        """`own_files` are the store's: neither they nor `files` are written over."""
        self._files = files
        self._reads = [*files, *own_files]
        self._is_asked = asked is not None
        self.path = asked or next(path for path in self._names() if not os.path.lexists(path) or self._is_old(path))
        self._replaced = _identity(self.path)

    @contextmanager
    def kept(self) -> Iterator[Problems]:
        """Problems that go to the file, which appears only when the block ends well and any line was rejected."""
        move = None if self._is_asked else self._move
        with whole_file(self.path, reads=self._reads, even_empty=False, move=move) as file:
            yield Problems(skip=True, rejected=file)

    def _names(self) -> Iterator[Path]:
        for number in count(1):
            yield Path(f"{self._files[0].name}.rejected{f'-{number}' if number > 1 else ''}.jsonl")

    def _is_old(self, path: Path) -> bool:
        """Whether the path is a file of rejected lines, which alone is replaced unasked."""
        if not path.is_file() or is_among(path, self._files):
            return False
        try:
            with path.open("rb") as file:
                return file.read(len(_BEGINNING)) == _BEGINNING
        except OSError:
            return False

    def _move(self, written: Path) -> None:
        with _locked(written.parent):
            if _identity(self.path) != self._replaced:  # another import has put its lines there
                self.path = next(path for path in self._names() if not os.path.lexists(path))
            written.replace(self.path.resolve())


def _identity(path: Path) -> _Identity | None:
    """What tells a file from one that is put in its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        with suppress(OSError):  # some file systems have no locks, and some folders cannot be read
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
