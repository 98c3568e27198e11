"""Reading logs of any native format: `read_runs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from planner.formats.files import detect, reading
from planner.formats.json_lines import read_json_lines
from planner.formats.problems import Problems
from planner.formats.records import RECORD_FIELDS, Read

_OF_RUNS = {"search", "samples"}
"""Columns that only a table of runs has."""


def read_runs(path: str | Path, *, format: str = "auto", problems: Problems) -> Iterator[Read]:  # noqa: A002 - as the command line has it
    """Complete runs of a log, a batch at a time, checked; bad lines go to `problems`.

    Formats: `jsonl` (plain, gzip, zstandard), `parquet`, `csv` (also gzip); a table with a column `search` or `samples`
    holds one row a run, else one row a sample (FORMATS 1).
    Raises InvalidInput where the format cannot be told, BadLog where the file cannot be read to its end.
    """
    path = Path(path)
    found = detect(path, format=format)
    with reading(path):
        path.stat()
    if found == "jsonl":
        yield from read_json_lines(path, problems)
        return
    # pyarrow is slow to import, and JSON Lines do without it
    from planner.formats.flat import read_flat  # noqa: PLC0415
    from planner.formats.flat_rows import NUMBERS, TEXTS  # noqa: PLC0415
    from planner.formats.run_table import read_run_table  # noqa: PLC0415
    from planner.formats.tables import read_table  # noqa: PLC0415

    table = read_table(path, found, problems)
    reader, fields = (read_run_table, RECORD_FIELDS)
    if _OF_RUNS.isdisjoint(table.columns):
        reader, fields = read_flat, (*TEXTS, *NUMBERS)
    left_out = tuple(name for name in table.columns if name not in fields)
    for read in reader(path, table, problems):
        read.left_out = left_out
        yield read
