"""Tables with a column `search` or `samples`: one row a run, with the fields of the planner's own log as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from planner.errors import BadLog
from planner.formats.json_lines import parse
from planner.formats.limits import EMPTY_IS_NONE, EXPECTED
from planner.formats.problems import Problems
from planner.formats.records import RECORD_FIELDS, Read, RecordReader
from planner.formats.tables import Block, Table, blank_rows, line_in, plain_values
from planner.formats.values import Wrong

_JSON = ("params", "metadata", "samples")
_TEXTS = (
    "run_id", "prompt_id", "prompt", "dataset", "reference", "generator", "verifier", "search", "selection",
    "answer", "status", "recommendation_id", "started_at",
)  # fmt: skip


def read_run_table(path: Path, table: Table, problems: Problems) -> Iterator[Read]:
    """Runs of the table, a block at a time; columns that are no field of a run are left out."""
    reader = RecordReader()
    for block in table.blocks:
        yield from _block(path, block, reader, problems)


def _block(path: Path, block: Block, reader: RecordReader, problems: Problems) -> Iterator[Read]:
    named = zip(block.rows.schema.names, block.rows.columns, strict=True)
    try:
        columns = {name: plain_values(name, column) for name, column in named if name in RECORD_FIELDS}
    except BadLog as error:
        raise BadLog(f"{path}: {error}") from error
    for row in np.flatnonzero(~blank_rows(block.rows)).tolist():
        raw = {name: column[row] for name, column in columns.items()}
        try:
            given = {name: _value(name, value) for name, value in raw.items()}
            record = {name: value for name, value in given.items() if value is not None}
            reader.add(record, block.first + row, raw if problems.rejected else None)
        except Wrong as wrong:
            problems.add(f"{path}:{line_in(block, row)}", wrong.field, wrong.wrong, wrong.expected, line=raw)
    yield reader.take(done=0.5)


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever the table holds
    """A cell as JSON Lines would have it: NaN and empty names are null, JSON texts are read, CSV's numbers too."""
    if isinstance(value, bytes):
        raise Wrong(name, "is no valid UTF-8")
    if (isinstance(value, float) and math.isnan(value)) or (value == "" and name in EMPTY_IS_NONE):
        return None
    if name == "samples" and isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if name in _JSON and isinstance(value, dict):
        return _without_nulls(value)
    if not isinstance(value, str) or name in _TEXTS:
        return value
    return _json(name, value) if name in _JSON else _number(name, value)


def _json(name: str, text: str) -> Any:  # noqa: ANN401
    if name != "samples":
        try:
            return parse(text.encode("utf-8", "surrogatepass"))
        except Wrong as wrong:
            raise Wrong(name, wrong.wrong, EXPECTED[name]) from None
    try:
        return parse(b'{"samples":' + text.encode("utf-8", "surrogatepass") + b"}")["samples"]
    except Wrong as wrong:
        if wrong.field.startswith("samples["):
            raise
        raise Wrong(name, wrong.wrong, EXPECTED[name]) from None


def _number(name: str, text: str) -> Any:  # noqa: ANN401
    text = text.strip().lower()
    if text in ("", "nan", "null", "none"):
        return None
    if name == "correct" and text in ("true", "false"):
        return text == "true"
    try:
        return json.loads(text)
    except ValueError:
        raise Wrong(name, f"is {text[:100]!r}") from None


def _without_nulls(value: Any) -> Any:  # noqa: ANN401
    """Parquet's structs hold every member that any row has: those that are null here were not logged."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None and one == one}  # noqa: PLR0124
    return value
