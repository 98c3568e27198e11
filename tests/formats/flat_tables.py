"""A small flat table, written as Parquet or CSV with some of its columns changed or left out (`...`)."""

from __future__ import annotations

import gzip
import math

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

TABLE = {
    "prompt_id": ["p1", "p1", "p1", "p2"],
    "prompt": ["2 + 2?", None, None, 'a "quoted",\nbroken line'],
    "dataset": ["sums", "sums", "sums", "sums"],
    "reference": ["4", None, None, "x"],
    "generator": ["small"] * 4,
    "verifier": ["prm", "prm", "prm", None],
    "run_id": ["r1", "r1", "r1", "r2"],
    "chain": [1, 0, 0, 0],
    "attempt": [0, 1, 0, 0],
    "answer": ["5", "4", "3", None],
    "correct": [0.0, 1.0, 0.0, 0.0],
    "score": [0.25, 0.75, float("nan"), None],
    "completion_tokens": [7, 8, None, 9],
    "status": ["ok", "ok", "ok", "truncated"],
}  # fmt: skip


def parquet(path, **changes):
    columns = {name: values for name, values in (TABLE | changes).items() if values is not ...}
    pq.write_table(pa.table(columns), path)
    return path


def text_table(path, **changes):
    columns = {name: values for name, values in (TABLE | changes).items() if values is not ...}
    if "score" in columns:
        columns["score"] = [None if one is None or math.isnan(one) else one for one in columns["score"]]
    data = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns), data)
    raw = data.getvalue().to_pybytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path
