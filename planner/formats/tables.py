"""Parquet and CSV as a stream of record batches; columns of CSV come as bytes, to be read with line and field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import BadLog
from planner.formats.files import Format, opened, reading
from planner.formats.problems import Problems

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 65_536
_BLOCK_BYTES = 8 << 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_OF_VIEWS = {"string_view": "large_string", "binary_view": "large_binary"}


@dataclass(frozen=True)
class Block:
    """Some rows of a table and the line (CSV) or row (Parquet, counted from 1) that the first stands at."""

    rows: pa.RecordBatch
    first: int


@dataclass
class Table:
    """An open table: the names of its columns and its rows, to be read once.

    `ragged` fills up meanwhile with the lines whose number of values is wrong: they are among the problems.
    """

    columns: tuple[str, ...]
    blocks: Iterator[Block]
    ragged: list[int | None] = field(default_factory=list)


def read_table(path: Path, format_name: Format, problems: Problems) -> Table:
    """Open a table. Raises BadLog where the file is no such table or is cut off, also while it is read."""
    ragged: list[int | None] = []
    blocks = _parquet(path) if format_name == "parquet" else _csv(path, problems, ragged)
    guarded = _guarded(path, format_name, blocks)
    first = next(guarded, None)
    if first is None:
        raise BadLog(f"{path}:1: row: the table has no rows, expected one row a sample")
    names = tuple(first.rows.schema.names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadLog(f"{path}:1: {twice[0]}: the column stands twice, expected each column once")
    return Table(names, _chain(first, guarded), ragged)


def _chain(first: Block, rest: Iterator[Block]) -> Iterator[Block]:
    yield first
    yield from rest


def _guarded(path: Path, format_name: str, blocks: Iterator[Block]) -> Iterator[Block]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and not needed for JSON Lines

    try:
        with reading(path):
            yield from blocks
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, MemoryError) as error:  # what damaged files lead to
        text = " ".join(str(error).split())
        raise BadLog(f"{path}: cannot be read as {format_name}: {text}; nothing was imported") from error


def _parquet(path: Path) -> Iterator[Block]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    with path.open("rb") as raw, pq.ParquetFile(raw) as file:
        yield Block(pa.RecordBatch.from_pylist([], schema=file.schema_arrow), 1)
        first = 1
        for rows in file.iter_batches(batch_size=_ROWS, use_threads=False):
            yield Block(_plain_texts(rows), first)
            first += rows.num_rows


def _plain_texts(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, columns of views being made columns of texts or bytes."""
    if not any(str(column.type) in _OF_VIEWS for column in rows.columns):
        return rows
    columns = [column.cast(_OF_VIEWS.get(str(column.type), column.type)) for column in rows.columns]
    return type(rows).from_arrays(columns, names=rows.schema.names)


def _csv(path: Path, problems: Problems, ragged: list[int | None]) -> Iterator[Block]:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv  # noqa: PLC0415

    with opened(path) as file:
        stream = file.stream
        names = _header(path, stream.readline(1 << 20))

        bad: list[Any] = []  # pyarrow's InvalidRow

        def skip(row: Any) -> str:  # noqa: ANN401
            bad.append(row)  # an error here, such as of a full disk, would be lost
            return "skip"

        def name_bad() -> None:
            for row in bad:
                # the header is read by ourselves, and stands before the row that pyarrow counts from 1
                place = f"{path}:{row.number + 1}" if row.number is not None else str(path)
                wrong = f"the row has {row.actual_columns} values"
                problems.add(place, "row", wrong, f"{row.expected_columns}, one a column", line=row.text)
                ragged.append(row.number)
            bad.clear()

        try:
            reader = csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=list(names)),
                parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
                convert_options=csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(names, pa.binary()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):  # nothing stands below the header
                return
            raise
        named = [place for place, name in enumerate(names) if name]  # spreadsheets end lines in empty columns
        first = 2
        for rows in reader:
            name_bad()
            yield Block(rows.select(named), first)
            first += rows.num_rows + _newlines(rows)
        name_bad()
        if first == 2 and ragged:  # a table without a good row has columns all the same
            schema = pa.schema([(names[place], pa.binary()) for place in named])
            yield Block(pa.RecordBatch.from_pylist([], schema=schema), 2)


def _header(path: Path, line: bytes) -> tuple[str, ...]:
    import csv  # noqa: PLC0415 - the reader of the standard library, for one line

    if not line.strip():
        raise BadLog(f"{path}:1: row: the file is empty, expected a line with the names of the columns")
    try:
        names = next(csv.reader([line.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r\n")]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadLog(
            f"{path}:1: row: the names of the columns cannot be read ({error}), expected a line of CSV"
        ) from error
    separator = next((mark for mark in _SEPARATORS if len(names) == 1 and mark in names[0]), None)
    if separator is not None:
        raise BadLog(
            f"{path}:1: row: the columns are separated by {_SEPARATORS[separator]}, expected commas: write the table "
            "anew with commas between its columns, and a point before the decimals of its numbers"
        )
    return tuple(name.strip() for name in names)


def _newlines(rows: pa.RecordBatch) -> int:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    columns = (column for column in rows.columns if pa.types.is_binary(column.type))
    return sum(pc.sum(pc.count_substring(column, "\n")).as_py() or 0 for column in columns)


def blank_rows(rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """(n,) rows in which nothing stands, such as spreadsheets write below their tables."""
    blank = np.ones(rows.num_rows, dtype=np.bool_)
    for column in rows.columns:
        blank &= column.is_null().to_numpy(zero_copy_only=False)
    return blank


def plain_values(name: str, column: pa.Array) -> list[Any]:
    """Values of a column as Python has them; a text that is no valid UTF-8 stays bytes.

    Times are cut to microseconds; one that Python cannot tell comes as the text of its number.
    Raises BadLog where such a text or time is part of something larger.
    """
    import pyarrow as pa  # noqa: PLC0415

    is_time = pa.types.is_timestamp(column.type)
    if is_time and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError as error:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise BadLog(f"{name}: the column holds texts that are no valid UTF-8, expected text in UTF-8") from error
        values = column.cast(pa.large_binary()).to_pylist()
    except (ValueError, OverflowError) as error:
        if not is_time:
            raise BadLog(f"{name}: the column holds values that cannot be read: {error}") from error
        values = [_time(value) for value in column]
    return [_decoded(value) if isinstance(value, bytes) else value for value in values]


def row_values(block: Block, row: int) -> dict[str, Any]:
    """One row of the block by the names of its columns, to be shown to people."""
    one = block.rows.slice(row, 1)
    shown = {}
    for name, column in zip(one.schema.names, one.columns, strict=True):
        try:
            value = plain_values(name, column)[0]
        except BadLog:
            value = None
        shown[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return shown


def _time(value: Any) -> Any:  # noqa: ANN401 - pyarrow's scalar, and what Python has for it
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(value.value)


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def line_in(block: Block, row: int) -> int:
    """Line at which a row of the block begins: values that hold line breaks push the rows after them down."""
    return block.first + row + _newlines(block.rows.slice(0, row))
