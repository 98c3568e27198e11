"""The planner's own log: one JSON object a line, one run a line (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from planner.formats.files import opened
from planner.formats.limits import MAX_LINE_BYTES
from planner.formats.problems import Problems
from planner.formats.records import Read, RecordReader
from planner.formats.values import Wrong

_BATCH_SAMPLES = 50_000
_BATCH_RUNS = 5_000
_WORDS = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}


def read_json_lines(path: Path, problems: Problems) -> Iterator[Read]:
    """Runs of the file, some thousands at a time; bad lines go to `problems`.

    Raises BadLog where the file itself cannot be read to its end.
    """
    reader = RecordReader()
    with opened(path) as file:
        for number, line in _lines(path, file.stream, problems):
            try:
                reader.add(parse(line), number)
            except Wrong as wrong:
                shown = line.decode("utf-8", "replace")
                problems.add(f"{path}:{number}", wrong.field, wrong.wrong, wrong.expected, line=shown)
            batch = reader.read.batch
            if len(batch.samples) >= _BATCH_SAMPLES or len(batch.runs) >= _BATCH_RUNS:
                yield reader.take(done=file.done)
        yield reader.take(done=1.0)


def parse(line: bytes) -> dict[str, Any]:
    """One JSON object. Raises Wrong for invalid UTF-8 or JSON, a key given twice, NaN and Infinity."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("line", f"byte {error.start + 1} is no valid UTF-8", "text in UTF-8") from None
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        wrong = f"is no valid JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}"
        raise Wrong("line", wrong, "one JSON object") from None
    except RecursionError:
        raise Wrong("line", "is nested too deeply", "one JSON object") from None
    except ValueError as error:  # a number of thousands of digits
        raise Wrong("line", f"holds a number that cannot be read: {error}", "numbers of usual length") from None
    if not isinstance(found, dict):
        raise Wrong("line", f"holds {_WORDS.get(type(found), 'a number')}", "one JSON object")
    return found


def _lines(path: Path, stream: IO[bytes], problems: Problems) -> Iterator[tuple[int, bytes]]:
    number, blank = 0, True
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE_BYTES:
            wrong = f"has more than {MAX_LINE_BYTES:,} bytes"
            problems.add(f"{path}:{number}", "line", wrong, f"lines of at most {MAX_LINE_BYTES:,} bytes")
            _skip_line(stream, line)
        elif line.strip():
            yield number, line
        blank = blank and not line.strip()
    if blank:
        problems.add(f"{path}:1", "line", "the file is empty", "one JSON object a line")


def _skip_line(stream: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_LINE_BYTES)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Wrong(twice[:100], "stands twice in one object", "each field once")
    return found


def _refuse(constant: str) -> float:
    raise Wrong("line", f"holds {constant}", "finite numbers, or null where a number is unknown")
