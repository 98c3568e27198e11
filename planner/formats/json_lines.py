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
                reader.add(parse(line), number, line.decode() if problems.rejected else None)
            except Wrong as wrong:
                shown = line.decode("utf-8", "replace")
                problems.add(f"{path}:{number}", wrong.field, wrong.wrong, wrong.expected, line=shown)
            batch = reader.read.batch
            if len(batch.samples) >= _BATCH_SAMPLES or len(batch.runs) >= _BATCH_RUNS:
                yield reader.take(done=file.done)
        yield reader.take(done=1.0)


def parse(line: bytes) -> dict[str, Any]:
    """One JSON object. Raises Wrong for invalid UTF-8 or JSON, a key given twice, a number that cannot be kept."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("line", f"byte {error.start + 1} is no valid UTF-8", "text in UTF-8") from None
    try:
        found = _loaded(text)
    except json.JSONDecodeError as error:
        wrong = f"is no valid JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}"
        raise Wrong("line", wrong, "one JSON object") from None
    except RecursionError:
        raise Wrong("line", "is nested too deeply", "one JSON object") from None
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


class _Unusable(str):
    """Stands for a number that cannot be kept, and says what it is."""

    __slots__ = ()


def _loaded(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError:
        raise
    except ValueError:  # read again for the place: to keep it along the way would slow every line down
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_Unusable, parse_int=_whole)
        field, what = next(_unusable(found))
        usual = "numbers of usual length" if "digits" in what else "finite numbers"
        raise Wrong(field, f"holds {what}", f"{usual}, or null where a number is unknown") from None


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _whole(digits: str) -> int | _Unusable:
    try:
        return int(digits)
    except ValueError:
        return _Unusable(f"a number of {len(digits.removeprefix('-')):,} digits")


def _unusable(found: object) -> Iterator[tuple[str, _Unusable]]:
    """Paths of the numbers that cannot be kept, in the order of the text; JSON may be nested deeper than calls."""
    rest: list[tuple[str, object]] = [("", found)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, _Unusable):
            yield path or "line", value
        elif isinstance(value, dict):
            below = [(f"{path}.{name[:100]}".removeprefix("."), one) for name, one in value.items()]
            rest.extend(reversed(below))
        elif isinstance(value, list):
            rest.extend(reversed([(f"{path}[{place}]", one) for place, one in enumerate(value)]))
