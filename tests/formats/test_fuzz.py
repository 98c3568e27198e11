"""Whatever bytes are imported: an error in words and the store as it was, or an import that can be repeated."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flat_tables import TABLE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from planner.core import SEARCHES, SELECTIONS
from planner.errors import PlannerError
from planner.formats import import_logs
from planner.store import Store

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
SHARE = st.none() | st.booleans() | st.floats(0, 1)
TOKENS = st.none() | st.integers(0, 2**31 - 1)
SAMPLE = st.fixed_dictionaries(
    {"chain": st.integers(0, 100), "attempt": st.integers(0, 3)},
    optional={"answer": st.none() | NAME, "correct": SHARE, "score": SHARE, "completion_tokens": TOKENS},
)
RUN = st.fixed_dictionaries(
    {"prompt": NAME, "generator": NAME},
    optional={
        "run_id": NAME, "verifier": st.none() | NAME, "search": st.sampled_from(SEARCHES),
        "selection": st.none() | st.sampled_from(SELECTIONS), "breadth": st.integers(1, 99), "answer": st.none() | NAME,
        "correct": SHARE, "prompt_tokens": TOKENS, "status": st.sampled_from(["ok", "truncated", "error"]),
        "samples": st.lists(SAMPLE, max_size=4, unique_by=lambda one: (one["chain"], one["attempt"])),
    },
)  # fmt: skip
FIELDS = ("prompt_id", "prompt", "generator", "verifier", "search", "correct", "samples", "params", "started_at", "usd")
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def fuzzed():
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/planner.db")
        yield store, Path(folder)
        store.close()


def try_import(fuzzed, name, data, **options):
    """Import bytes; on an error in words the store must be as it was, else a second import must change nothing."""
    store, folder = fuzzed
    path = folder / name
    path.write_bytes(data)
    before = store.count()
    try:
        import_logs(store, path, rejected_path=folder / "rejected.jsonl", **options)
    except PlannerError:
        assert store.count() == before
        return
    after = store.count()
    assert import_logs(store, path, rejected_path=folder / "rejected.jsonl", **options).import_id is None
    assert store.count() == after


@SETTINGS
@given(
    st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.csv", "a.parquet", "a.jsonl.gz", "a.csv.gz"]), st.booleans()
)
def test_random_bytes_are_refused_in_words(fuzzed, data, name, skip_bad):
    try_import(fuzzed, name, data, skip_bad=skip_bad)


@SETTINGS
@given(st.lists(RUN, max_size=5), st.booleans())
def test_valid_runs_are_imported_and_can_be_repeated(fuzzed, runs, packed):
    data = "\n".join(map(json.dumps, runs)).encode()
    try_import(fuzzed, "runs.jsonl", gzip.compress(data) if packed else data)


@SETTINGS
@given(RUN, st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3), st.booleans())
def test_a_valid_run_with_anything_in_some_fields_is_imported_or_refused_in_words(fuzzed, run, changes, skip_bad):
    data = json.dumps(run | changes).encode("utf-8", "surrogatepass")
    try_import(fuzzed, "runs.jsonl", data, skip_bad=skip_bad, extract="last_number", grade="numeric")


@SETTINGS
@given(st.data())
def test_valid_lines_with_bytes_changed_are_imported_or_refused_in_words(fuzzed, data):
    lines = bytearray("\n".join(json.dumps(run) for run in data.draw(st.lists(RUN, min_size=1, max_size=3))), "utf-8")
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(lines) - 1), st.integers(0, 255)), max_size=4)):
        lines[place] = value
    cut = data.draw(st.integers(0, len(lines)))
    try_import(fuzzed, "runs.jsonl", bytes(lines[:cut]), skip_bad=data.draw(st.booleans()))


@SETTINGS
@given(st.data())
def test_a_parquet_file_with_bytes_changed_is_imported_or_refused_in_words(fuzzed, data):
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(TABLE), buffer, compression="none")
    table = bytearray(buffer.getvalue().to_pybytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(table) - 1), st.integers(0, 255)), max_size=3)):
        table[place] = value
    try_import(fuzzed, "table.parquet", bytes(table), skip_bad=data.draw(st.booleans()))


CELL = st.sampled_from(["", "a", "1", "0", "-1", "nan", "1e400", '"', "\0", "é", "{}", "sampling", "2 \n", "0.5"])


@SETTINGS
@given(
    st.lists(st.lists(CELL, min_size=5, max_size=6), max_size=4),
    st.sampled_from(["chain", "search", "params", "score"]),
)
@example([["", "", "", "", "a"], ["a", "a", "a", "", ""]], "params")
def test_csv_of_odd_cells_is_imported_or_refused_in_words(fuzzed, cells, column):
    lines = [f"prompt,generator,answer,correct,{column}", *(",".join(row) for row in cells)]
    try_import(fuzzed, "table.csv", "\n".join(lines).encode(), skip_bad=len(cells) % 2 == 0)


@SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt_id", "verifier", "run_id", "params", "chain", "score", "status", "search", "metadata"]
        ),
        st.sampled_from(["x", "{}", 1, -1, 0.5, float("nan"), None, True, b"\xff", [1], {"a": 1}]),
        max_size=4,
    ),
    st.integers(1, 3),
)
def test_parquet_of_odd_columns_is_imported_or_refused_in_words(fuzzed, columns, n):
    base = {"prompt": ["question"] * n, "generator": ["a"] * n, "answer": ["x"] * n}
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(base | {name: [value] * n for name, value in columns.items()}), buffer)
    try_import(fuzzed, "table.parquet", buffer.getvalue().to_pybytes())
