"""Files that are written whole or not at all, and never over what the same work reads."""

from __future__ import annotations

import io
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from planner.errors import InvalidInput

STDIN = 0
"""Standard input among what is read: a shell may have put a file there."""


@contextmanager
def whole_file(
    path: Path,
    *,
    reads: Iterable[Path | int] = (),
    even_empty: bool = True,
    move: Callable[[Path], None] | None = None,
) -> Iterator[IO[str]]:
    """A text file that is at `path` once the block ends well; an exception leaves what was there.

    A symbolic link is followed, its target replaced. What is no regular file, such as a device, is written to directly.
    reads: files of the same work, which must stay. Unless `even_empty`, nothing written changes nothing.
    move: brings the written file, whose path it is given, to its place if that is not simply `path`.
    Raises InvalidInput where `path` is among `reads` or cannot be opened, OSError that names it where the disk is full.
    """
    if is_among(path, reads):
        raise InvalidInput(f"{path} is read here too, as an input, the settings or the store: write to another file")
    try:
        is_special = path.exists() and not path.is_file()
        # of a pipe behind /dev/stdout no path is left when links are followed
        target = path if is_special else path.resolve()
        temporary = path if is_special else target.with_name(_temporary_name(target.name))
        file = _Named(temporary, path)
    except (OSError, RuntimeError) as error:  # links that go round in a circle are a RuntimeError
        raise InvalidInput(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error
    if is_special:
        with file:
            yield file
        return
    try:
        with file:
            yield file
        if even_empty or temporary.stat().st_size:
            (move or partial(Path.replace, target=target))(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def is_among(path: Path, reads: Iterable[Path | int]) -> bool:
    """Whether `path` is a regular file, and one of `reads`, by whatever name."""
    own = _status(path)
    if own is None or not stat.S_ISREG(own.st_mode):
        return False
    others = (_status(one) for one in reads)
    return any(other is not None and os.path.samestat(own, other) for other in others)


def _temporary_name(name: str) -> str:
    """One that no other process has, and that is not too long where the name itself is not."""
    return f".{name[:50]}.{os.getpid()}-{secrets.token_hex(4)}.part"


def _status(path: Path | int) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - a descriptor has no path
    except OSError:
        return None


class _Named(io.TextIOWrapper):
    """A text file whose errors bear its name."""

    def __init__(self, opened: Path, told: Path) -> None:
        self._told = told
        super().__init__(opened.open("wb"), encoding="utf-8", errors="backslashreplace", newline="\n")

    def write(self, text: str, /) -> int:
        with self._named():
            return super().write(text)

    def flush(self) -> None:
        with self._named():
            super().flush()

    def close(self) -> None:
        with self._named():
            super().close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._told)) from error
