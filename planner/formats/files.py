"""Opening logs: plain, gzip or zstandard, with every failure of the file itself told in words."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast, get_args

from planner.errors import BadLog, InvalidInput

Format = Literal["jsonl", "parquet", "csv"]
FORMATS: tuple[str, ...] = ("auto", *get_args(Format))

_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonl.gz": "jsonl", ".jsonl.zst": "jsonl", ".ndjson.gz": "jsonl",
    ".ndjson.zst": "jsonl", ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv", ".csv.zst": "csv",
}  # fmt: skip


def detect(path: Path, *, format: str = "auto") -> Format:  # noqa: A002 - the word of the command line
    """The format named, or the one that the file's name ends in. Raises InvalidInput where neither tells."""
    if format != "auto":
        for known in get_args(Format):
            if known == format:
                return known  # type: ignore[no-any-return]
        raise InvalidInput(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")
    name = path.name.lower()
    for ending, found in _ENDINGS.items():
        if name.endswith(ending):
            return found
    raise InvalidInput(
        f"{path}: the name does not tell the format; name it with --format {'|'.join(get_args(Format))}, "
        f"or let the file end in one of {', '.join(_ENDINGS)}"
    )


@dataclass(frozen=True)
class Opened:
    """An open log: its decompressed bytes, and the file below them, whose place tells the progress."""

    stream: IO[bytes]
    raw: IO[bytes]
    n_bytes: int

    @property
    def done(self) -> float:
        """Share of the file that has been read."""
        return self.raw.tell() / self.n_bytes if self.n_bytes else 1.0


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The file's bytes, decompressed where its first bytes say gzip or zstandard."""
    with reading(path), path.open("rb") as raw:
        n_bytes = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield Opened(cast("IO[bytes]", unzipped), raw, n_bytes)
        elif magic == b"\x28\xb5\x2f\xfd":
            from planner.formats.zstd import ZstdStream  # noqa: PLC0415 - only such files need it

            with io.BufferedReader(ZstdStream(raw), 1 << 20) as unzipped_zstd:
                yield Opened(unzipped_zstd, raw, n_bytes)
        else:
            yield Opened(raw, raw, n_bytes)


def file_hash(files: Sequence[Path]) -> str:
    """SHA-256 of the bytes of all files, in hex. Raises InvalidInput for what can be read but once, such as a pipe."""
    digest = hashlib.sha256()
    for path in files:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InvalidInput(f"{path} can be read but once, and an import reads more often: write it to a file first")
        with reading(path), path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the file itself into BadLog."""
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInput(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise InvalidInput(f"{path} is a folder: name the files in it") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadLog(
            f"{path}: the compressed file is cut off or damaged ({error}): copy it again; nothing was imported"
        ) from error
    except OSError as error:
        if error.filename not in (None, path, str(path)):  # another file, such as that of rejected lines
            raise
        raise BadLog(f"{path}: cannot be read: {error}") from error
